//! Where things stand on the pages of a paper.

use super::{
    canvas::{Canvas, Colour, HEIGHT, Style, WIDTH},
    font::{Font, encode, width, wrap},
};
use crate::documents::paper::{Entry, Fact, Line, Paper, Section, Tone};

const MARGIN: f32 = 48.0;
const RIGHT: f32 = WIDTH - MARGIN;
const INNER: f32 = WIDTH - 2.0 * MARGIN;
/// Where the room for content ends.
const BOTTOM: f32 = HEIGHT - 64.0;
/// Where content begins on further pages.
const TOP: f32 = 82.0;
/// Room between a box and its text.
const PADDING: f32 = 8.0;

const INK: Colour = [0.106, 0.153, 0.2];
const SOFT: Colour = [0.357, 0.42, 0.482];
const RULE: Colour = [0.835, 0.867, 0.902];
const FILL: Colour = [0.949, 0.961, 0.976];
const ACCENT: Colour = [0.059, 0.298, 0.506];
const WHITE: Colour = [1.0, 1.0, 1.0];

const BODY: Style = Style { font: Font::Regular, size: 9.5, colour: INK };
const STRONG: Style = Style { font: Font::Bold, ..BODY };
const ITALIC: Style = Style { font: Font::Oblique, ..BODY };
const LABEL: Style = Style { colour: SOFT, ..BODY };
const HEADING: Style = Style { font: Font::Bold, size: 7.5, colour: SOFT };
const SMALL: Style = Style { font: Font::Regular, size: 7.5, colour: SOFT };
const SELLER: Style = Style { font: Font::Bold, size: 15.0, colour: ACCENT };
const TITLE: Style = Style { font: Font::Bold, size: 22.0, colour: INK };

/// From one baseline to the next.
const LEADING: f32 = 13.0;

/// Where the columns of lines end; the first begins at the margin.
const DESCRIPTION_WIDTH: f32 = 238.0;
const QUANTITY_RIGHT: f32 = MARGIN + 306.0;
const UNIT_PRICE_RIGHT: f32 = MARGIN + 398.0;
const TOTAL_RIGHT: f32 = RIGHT - PADDING;
/// Where the block of sums begins.
const SUMS_LEFT: f32 = MARGIN + 232.0;
/// Where the facts beside the buyer begin.
const FACTS_LEFT: f32 = MARGIN + 290.0;

/// The content of each page.
pub(super) fn pages(paper: &Paper) -> Vec<Vec<u8>> {
    let mut sheet = Sheet { canvas: Canvas::new(), paper, y: MARGIN, in_table: false };
    sheet.head();
    sheet.parties();
    sheet.lines();
    sheet.sums();
    sheet.in_words();
    for section in &paper.sections {
        sheet.section(section);
    }
    sheet.canvas.finish(|canvas, page, pages| foot(canvas, paper, page, pages))
}

/// A paper that is being laid out, down to `y` on the last page.
struct Sheet<'a> {
    canvas: Canvas,
    paper: &'a Paper,
    y: f32,
    /// Whether the lines go on, so that a further page needs the heads of their columns.
    in_table: bool,
}

impl Sheet<'_> {
    /// Turns the page unless there are `height` points of room. What is higher than a page begins on one.
    fn need(&mut self, height: f32) {
        if self.y + height <= BOTTOM || self.y <= TOP {
            return;
        }
        self.canvas.turn();
        let name = clipped(&self.paper.seller.name, STRONG, INNER / 2.0);
        self.canvas.encoded(MARGIN, 56.0, Style { colour: ACCENT, ..STRONG }, &name);
        let number = format!("{} {}", self.paper.title, self.paper.number);
        self.canvas.text_to(RIGHT, 56.0, LABEL, &number);
        self.canvas.rule(MARGIN, 66.0, INNER, 1.0, ACCENT);
        self.y = TOP;
        if self.in_table {
            self.column_heads();
        }
    }

    /// Lines of text, each where there is room for it.
    fn paragraph(&mut self, x: f32, style: Style, lines: &[Vec<u8>]) {
        for line in lines {
            self.need(LEADING);
            self.y += LEADING;
            self.canvas.encoded(x, self.y - 3.5, style, line);
        }
    }

    /// The seller on the left; what paper it is, on the right.
    fn head(&mut self) {
        let paper = self.paper;
        let mut left = MARGIN;
        for line in wrap(&paper.seller.name, SELLER.font, SELLER.size, INNER * 0.55) {
            left += 18.0;
            self.canvas.encoded(MARGIN, left - 3.0, SELLER, &line);
        }
        let tax_id = format!("NPWP {}", paper.seller.tax_id);
        let address = Style { size: 8.5, ..LABEL };
        for text in paper.seller.address.iter().chain([&tax_id]) {
            for line in wrap(text, address.font, address.size, INNER * 0.5) {
                left += 11.5;
                self.canvas.encoded(MARGIN, left, address, &line);
            }
        }
        self.canvas.text_to(RIGHT, MARGIN + 18.0, TITLE, &paper.title.to_uppercase());
        self.canvas.text_to(RIGHT, MARGIN + 34.0, Style { size: 10.5, ..LABEL }, &paper.number);
        let mut right = MARGIN + 38.0;
        if let Some(stamp) = paper.stamp {
            let style = Style { font: Font::Bold, size: 9.5, colour: colour_of(stamp.tone) };
            let text = encode(&stamp.text.to_uppercase());
            let wide = width(&text, style.font, style.size) + 2.0 * PADDING;
            self.canvas.frame(RIGHT - wide, MARGIN + 44.0, wide, 18.0, style.colour);
            self.canvas.encoded(RIGHT - wide + PADDING, MARGIN + 56.5, style, &text);
            right = MARGIN + 62.0;
        }
        self.y = left.max(right) + 12.0;
        self.canvas.rule(MARGIN, self.y, INNER, 1.6, ACCENT);
        self.y += 18.0;
    }

    /// The buyer on the left, dates on the right.
    fn parties(&mut self) {
        let paper = self.paper;
        let top = self.y;
        self.canvas.text(MARGIN, top + 8.0, HEADING, &paper.buyer_heading.to_uppercase());
        let name = Style { size: 11.0, ..STRONG };
        let most = FACTS_LEFT - MARGIN - 24.0;
        let mut left = top + 10.0;
        let more = paper.buyer.more.iter().map(|line| (LABEL, line));
        for (style, text) in std::iter::once((name, &paper.buyer.name)).chain(more) {
            for line in wrap(text, style.font, style.size, most) {
                left += 14.0;
                self.canvas.encoded(MARGIN, left, style, &line);
            }
        }
        let mut right = top - 4.0;
        for Fact { label, value } in &paper.facts {
            right += 14.0;
            self.canvas.text(FACTS_LEFT, right, LABEL, label);
            self.canvas.text_to(RIGHT, right, BODY, value);
        }
        self.y = left.max(right) + 22.0;
    }

    fn column_heads(&mut self) {
        let [description, quantity, unit_price, total] = self.paper.columns.map(str::to_uppercase);
        self.canvas.fill(MARGIN, self.y, INNER, 20.0, FILL);
        let baseline = self.y + 13.0;
        self.canvas.text(MARGIN + PADDING, baseline, HEADING, &description);
        self.canvas.text_to(QUANTITY_RIGHT, baseline, HEADING, &quantity);
        self.canvas.text_to(UNIT_PRICE_RIGHT, baseline, HEADING, &unit_price);
        self.canvas.text_to(TOTAL_RIGHT, baseline, HEADING, &total);
        self.y += 20.0;
    }

    fn lines(&mut self) {
        // Not a head without a line.
        self.need(20.0 + 2.0 * LEADING);
        self.column_heads();
        self.in_table = true;
        for line in &self.paper.lines {
            self.line(line);
        }
        self.in_table = false;
    }

    fn line(&mut self, line: &Line) {
        let description = wrap(&line.description, BODY.font, BODY.size, DESCRIPTION_WIDTH);
        self.need(description.len() as f32 * LEADING + 9.0);
        self.y += 4.5;
        let baseline = self.y + LEADING - 3.5;
        self.canvas.text_to(QUANTITY_RIGHT, baseline, BODY, &line.quantity);
        self.canvas.text_to(UNIT_PRICE_RIGHT, baseline, BODY, &line.unit_price);
        self.canvas.text_to(TOTAL_RIGHT, baseline, BODY, &line.total);
        self.paragraph(MARGIN + PADDING, BODY, &description);
        self.y += 4.5;
        self.canvas.rule(MARGIN, self.y, INNER, 0.6, RULE);
    }

    /// From the subtotal to the total, on one page.
    fn sums(&mut self) {
        let paper = self.paper;
        self.need(paper.sums.len() as f32 * 16.0 + 44.0);
        self.y += 8.0;
        for Fact { label, value } in &paper.sums {
            self.y += 16.0;
            self.canvas.text(SUMS_LEFT + PADDING, self.y - 4.0, LABEL, label);
            self.canvas.text_to(TOTAL_RIGHT, self.y - 4.0, BODY, value);
        }
        self.y += 6.0;
        self.canvas.fill(SUMS_LEFT, self.y, RIGHT - SUMS_LEFT, 26.0, ACCENT);
        let total = Style { font: Font::Bold, size: 11.5, colour: WHITE };
        self.canvas.text(SUMS_LEFT + PADDING, self.y + 17.0, total, &paper.total.label);
        self.canvas.text_to(TOTAL_RIGHT, self.y + 17.0, total, &paper.total.value);
        self.y += 26.0;
    }

    fn in_words(&mut self) {
        let Fact { label, value } = &self.paper.in_words;
        let lines = wrap(value, ITALIC.font, ITALIC.size, INNER - 2.0 * PADDING);
        let height = lines.len() as f32 * LEADING + 26.0;
        self.need(height + 16.0);
        self.y += 16.0;
        self.canvas.fill(MARGIN, self.y, INNER, height, FILL);
        self.canvas.text(MARGIN + PADDING, self.y + 14.0, HEADING, &label.to_uppercase());
        self.y += 18.0;
        self.paragraph(MARGIN + PADDING, ITALIC, &lines);
        self.y += 8.0;
    }

    fn section(&mut self, section: &Section) {
        // Not a heading without an entry.
        self.need(36.0 + LEADING);
        self.y += 20.0;
        self.canvas.text(MARGIN, self.y + 8.0, HEADING, &section.heading.to_uppercase());
        self.y += 14.0;
        for Entry { text, amount } in &section.entries {
            let lines = wrap(text, BODY.font, BODY.size, INNER - 110.0);
            self.need(lines.len() as f32 * LEADING + 5.0);
            self.y += 2.5;
            self.canvas.text_to(RIGHT, self.y + LEADING - 3.5, BODY, amount);
            self.paragraph(MARGIN, BODY, &lines);
            self.y += 2.5;
            self.canvas.rule(MARGIN, self.y, INNER, 0.6, RULE);
        }
    }
}

/// What stands at the end of each page.
fn foot(canvas: &mut Canvas, paper: &Paper, page: usize, pages: usize) {
    canvas.rule(MARGIN, HEIGHT - 48.0, INNER, 0.6, RULE);
    canvas.text(MARGIN, HEIGHT - 35.0, SMALL, paper.footer);
    let [of_page, of_pages] = paper.page_of;
    canvas.text_to(RIGHT, HEIGHT - 35.0, SMALL, &format!("{of_page} {page} {of_pages} {pages}"));
}

/// The first line of a text that may take more.
fn clipped(text: &str, style: Style, most: f32) -> Vec<u8> {
    wrap(text, style.font, style.size, most).swap_remove(0)
}

const fn colour_of(tone: Tone) -> Colour {
    match tone {
        Tone::Good => [0.102, 0.498, 0.294],
        Tone::Waiting => [0.541, 0.353, 0.0],
        Tone::Ended => [0.706, 0.137, 0.094],
    }
}
