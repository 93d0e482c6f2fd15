//! Pages to draw on. Distances are points from the top left corner; a page that is full is followed by another.

use pdf_writer::{Content, Str};

use super::font::{Font, encode, width};

/// A4.
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;

/// A colour: red, green, blue, from 0 to 1.
pub(super) type Colour = [f32; 3];

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub font: Font,
    pub size: f32,
    pub colour: Colour,
}

/// The pages drawn so far. Drawing goes to the last one.
pub(super) struct Canvas {
    finished: Vec<Content>,
    page: Content,
}

impl Canvas {
    /// One empty page.
    pub(super) fn new() -> Self {
        Self { finished: Vec::new(), page: Content::new() }
    }

    /// Begins another page.
    pub(super) fn turn(&mut self) {
        self.finished.push(std::mem::replace(&mut self.page, Content::new()));
    }

    /// All pages, each once more to be drawn on by `last_touch`, which is told the page's number and how many there are.
    pub(super) fn finish(mut self, last_touch: impl Fn(&mut Self, usize, usize)) -> Vec<Vec<u8>> {
        self.turn();
        let pages = std::mem::take(&mut self.finished);
        let count = pages.len();
        pages
            .into_iter()
            .enumerate()
            .map(|(index, page)| {
                self.page = page;
                last_touch(&mut self, index + 1, count);
                std::mem::replace(&mut self.page, Content::new()).finish().into_vec()
            })
            .collect()
    }

    /// Text from `x` on, its baseline at `y`.
    pub(super) fn text(&mut self, x: f32, y: f32, style: Style, text: &str) {
        self.encoded(x, y, style, &encode(text));
    }

    /// Text that ends at `right`.
    pub(super) fn text_to(&mut self, right: f32, y: f32, style: Style, text: &str) {
        let bytes = encode(text);
        self.encoded(right - width(&bytes, style.font, style.size), y, style, &bytes);
    }

    /// Text that was encoded before.
    pub(super) fn encoded(&mut self, x: f32, y: f32, style: Style, bytes: &[u8]) {
        let [red, green, blue] = style.colour;
        self.page.set_fill_rgb(red, green, blue);
        self.page.begin_text();
        self.page.set_font(style.font.name(), style.size);
        self.page.next_line(x, HEIGHT - y);
        self.page.show(Str(bytes));
        self.page.end_text();
    }

    /// A filled box.
    pub(super) fn fill(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Colour) {
        let [red, green, blue] = colour;
        self.page.set_fill_rgb(red, green, blue);
        self.page.rect(x, HEIGHT - y - height, width, height);
        self.page.fill_nonzero();
    }

    /// An empty box.
    pub(super) fn frame(&mut self, x: f32, y: f32, width: f32, height: f32, colour: Colour) {
        let [red, green, blue] = colour;
        self.page.set_stroke_rgb(red, green, blue);
        self.page.set_line_width(1.2);
        self.page.rect(x, HEIGHT - y - height, width, height);
        self.page.stroke();
    }

    /// A line across.
    pub(super) fn rule(&mut self, x: f32, y: f32, width: f32, thickness: f32, colour: Colour) {
        let [red, green, blue] = colour;
        self.page.set_stroke_rgb(red, green, blue);
        self.page.set_line_width(thickness);
        self.page.move_to(x, HEIGHT - y);
        self.page.line_to(x + width, HEIGHT - y);
        self.page.stroke();
    }
}
