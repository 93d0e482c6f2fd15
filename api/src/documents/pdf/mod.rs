//! A paper as PDF: A4, as many pages as it takes, in the fonts that every reader has. The file has no time of its own and
//! nothing random, so the same paper gives the same bytes.

mod canvas;
mod font;
mod layout;

use chrono::{Datelike, Timelike};
use domain::language::Language;
use pdf_writer::{Date, Finish, Name, Pdf, Rect, Ref, TextStr};

use self::font::Font;
use super::paper::Paper;

const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const INFO: Ref = Ref::new(3);
const FONTS: [Ref; 3] = [Ref::new(4), Ref::new(5), Ref::new(6)];
/// The first page and its content; those of further pages follow.
const FIRST_PAGE: i32 = 7;

/// The file of a paper.
pub(super) fn render(paper: &Paper) -> Vec<u8> {
    let contents = layout::pages(paper);
    let mut pdf = Pdf::new();
    let mut catalog = pdf.catalog(CATALOG);
    catalog.pages(PAGES);
    catalog.lang(TextStr(match paper.language {
        Language::Indonesian => "id-ID",
        Language::English => "en",
    }));
    catalog.viewer_preferences().display_doc_title(true);
    catalog.finish();
    describe(&mut pdf, paper);
    for (font, id) in Font::ALL.into_iter().zip(FONTS) {
        pdf.type1_font(id).base_font(font.base()).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    let ids: Vec<(Ref, Ref)> =
        (FIRST_PAGE..).step_by(2).map(|id| (Ref::new(id), Ref::new(id + 1))).take(contents.len()).collect();
    pdf.pages(PAGES)
        .kids(ids.iter().map(|(page, _)| *page))
        .count(i32::try_from(ids.len()).unwrap_or(i32::MAX));
    for ((page, content), bytes) in ids.into_iter().zip(&contents) {
        write_page(&mut pdf, page, content);
        pdf.stream(content, bytes);
    }
    pdf.finish()
}

fn write_page(pdf: &mut Pdf, id: Ref, content: Ref) {
    let mut page = pdf.page(id);
    page.parent(PAGES).media_box(Rect::new(0.0, 0.0, canvas::WIDTH, canvas::HEIGHT)).contents(content);
    let mut resources = page.resources();
    let mut fonts = resources.fonts();
    for (font, id) in Font::ALL.into_iter().zip(FONTS) {
        fonts.pair(font.name(), id);
    }
}

fn describe(pdf: &mut Pdf, paper: &Paper) {
    let at = paper.issued_at;
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    let issued = Date::new(u16::try_from(at.year()).unwrap_or_default())
        .month(small(at.month()))
        .day(small(at.day()))
        .hour(small(at.hour()))
        .minute(small(at.minute()))
        .second(small(at.second()))
        .utc_offset_hour(0);
    pdf.document_info(INFO)
        .title(TextStr(&format!("{} {}", paper.title, paper.number)))
        .author(TextStr(&paper.seller.name))
        .creator(TextStr("WeBrana Cloud"))
        .creation_date(issued)
        .modified_date(issued);
}
