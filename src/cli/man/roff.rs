//! The few macros of man(7) that the pages need, and the escaping: no text becomes a request.

/// A manual page that is being written. Texts may have `code spans`, which become bold.
#[derive(Debug)]
pub(super) struct Page(String);

impl Page {
    /// Begins a page. It has no date, so that the same source gives the same page.
    pub(super) fn new(name: &str, section: u8, about: &str) -> Self {
        let title = name.to_uppercase();
        let manual = if section == 1 { "User Commands" } else { "File Formats" };
        let version = env!("CARGO_PKG_VERSION");
        let mut page = Self(format!(".TH \"{title}\" {section} \"\" \"dunlin {version}\" \"{manual}\"\n"));
        page.heading("NAME");
        page.line(&format!("{} \\- {}", plain(name), plain(about)));
        page
    }

    /// The page as it is kept in a file.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    pub(super) fn heading(&mut self, text: &str) {
        self.line(&format!(".SH \"{}\"", plain(text)));
    }

    pub(super) fn subheading(&mut self, text: &str) {
        self.line(&format!(".SS \"{}\"", plain(text)));
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.apart();
        self.line(&prose(text));
    }

    /// What `term` means.
    pub(super) fn item(&mut self, term: &str, paragraphs: &[String]) {
        self.line(".TP");
        self.term(term);
        for (index, text) in paragraphs.iter().enumerate() {
            if index > 0 {
                self.line(".IP");
            }
            self.line(&prose(text));
        }
    }

    /// A term that goes with the one before it.
    pub(super) fn further(&mut self, term: &str) {
        self.line(".TQ");
        self.term(term);
    }

    /// Lines that stay as they are.
    pub(super) fn verbatim(&mut self, text: &str) {
        self.apart();
        self.line(".RS 4");
        self.line(".nf");
        for line in text.lines() {
            self.line(&plain(line));
        }
        self.line(".fi");
        self.line(".RE");
    }

    fn term(&mut self, term: &str) {
        self.line(&format!("\\fB{}\\fR", plain(term)));
    }

    /// A new paragraph; after a heading there is one already.
    fn apart(&mut self) {
        let last = self.0.lines().next_back().unwrap_or_default();
        if !last.starts_with(".S") {
            self.line(".PP");
        }
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }
}

/// One line that prints as `text`, whatever is in it.
fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    // What begins a line with one of these is a request.
    if text.starts_with(['.', '\'']) {
        line.push_str("\\&");
    }
    for letter in text.chars() {
        match letter {
            '\\' => line.push_str("\\e"),
            // Otherwise they are typeset, and cannot be copied into a shell or a file.
            '-' => line.push_str("\\-"),
            '\'' => line.push_str("\\(aq"),
            '"' => line.push_str("\\(dq"),
            '`' => line.push_str("\\(ga"),
            '^' => line.push_str("\\(ha"),
            '~' => line.push_str("\\(ti"),
            letter if letter.is_control() => line.push(' '),
            letter => line.push(letter),
        }
    }
    line
}

/// One line of text whose code spans are bold.
fn prose(text: &str) -> String {
    let parts: Vec<_> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // A backtick without its second is a backtick.
        return plain(text);
    }
    let bold = |(index, part)| if index % 2 == 0 { plain(part) } else { format!("\\fB{}\\fR", plain(part)) };
    parts.into_iter().enumerate().map(bold).collect()
}

#[cfg(test)]
mod tests {
    use super::{Page, plain, prose};

    #[test]
    fn no_text_becomes_a_request_or_an_escape() {
        let cases = [
            ("plain words", "plain words"),
            (".so /etc/shadow", "\\&.so /etc/shadow"),
            ("'br", "\\&\\(aqbr"),
            ("a\n.so b", "a .so b"),
            ("\\fB", "\\efB"),
            ("--config \"~\"", "\\-\\-config \\(dq\\(ti\\(dq"),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text), expected, "{text:?}");
        }
    }

    #[test]
    fn code_spans_are_bold() {
        let cases = [
            ("the tag `host` of", "the tag \\fBhost\\fR of"),
            ("`.a` and `b`", "\\fB\\&.a\\fR and \\fBb\\fR"),
            ("one ` alone", "one \\(ga alone"),
        ];
        for (text, expected) in cases {
            assert_eq!(prose(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_page_of_everything() {
        let mut page = Page::new("x.toml", 5, "an \"x\"");
        page.heading("TABLES");
        page.subheading("[a]");
        page.item("one", &["First.".to_owned(), "Second.".to_owned()]);
        page.further("two");
        page.paragraph("Words.");
        page.verbatim(".a\n  b");
        let expected = ".SH \"NAME\"\nx.toml \\- an \\(dqx\\(dq\n.SH \"TABLES\"\n.SS \"[a]\"\n.TP\n\\fBone\\fR\nFirst.\n.IP\nSecond.\n\
            .TQ\n\\fBtwo\\fR\n.PP\nWords.\n.PP\n.RS 4\n.nf\n\\&.a\n  b\n.fi\n.RE\n";
        let text = page.into_text();
        let (title, rest) = text.split_once('\n').unwrap();
        assert!(title.starts_with(".TH \"X.TOML\" 5 \"\" \"dunlin "), "{title}");
        assert_eq!(rest, expected);
    }
}
