//! What random XML documents are put together from: names, addresses, texts and references, good and odd ones; and the pieces that hold
//! no others.

use super::Gen;

pub(super) const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
pub(super) const PREFIXES: &[&str] = &["", "", "a", "b", "ceb", "xsi", "x-1", "Z", "_p", "数"];
pub(super) const URIS: &[&str] = &[
    "urn:a",
    "urn:b",
    "http://www.chinaport.gov.cn/ceb",
    "http://www.w3.org/2001/XMLSchema-instance",
    "http://example.com/~x/%41?q=1#f",
    "HTTP://EXAMPLE.com:8080/",
    "tag:example.com,2026:x",
    "urn:a",
    "http://a.example",
    "x-y+z.1:t",
];
pub(super) const ODD_URIS: &[&str] = &[
    "relative",
    "../x",
    "http://a.example/?a=1&amp;b=2",
    "urn:中",
    "http://[::1]/",
    "",
    " urn:a",
    "urn:a b",
    "http:",
    "//host/x",
    "#f",
    "1:x",
    "http://user@host/",
    "http://host:/",
    "http://host:123456/",
    "http://h//x",
    "urn:%4",
    "http://host:port/",
    "http:///x",
    "urn:%zz",
    "urn:a'b",
    "urn:a&#x9;b",
    "urn:{x}",
    "urn:a\tb",
    "urn:x#a#b",
    "http://www.w3.org/XML/1998/namespace",
    "http://www.w3.org/2000/xmlns/",
];
pub(super) const LOCALS: &[&str] = &[
    "a",
    "b",
    "Order",
    "OrderHead",
    "guid",
    "goodsName",
    "_u",
    "é",
    "名称",
    "x-1",
    "x.2",
    "A",
    "Z",
    "aa",
    "a·b",
    "𠀀",
];
pub(super) const ODD_NAMES: &[&str] = &[
    ":a",
    "a:",
    "a:b:c",
    "1a",
    "a:1b",
    "-x",
    "xmlns:a",
    "zz:undeclared",
    "a:·x",
    "a:-",
    "xml:a",
    "a b",
    "é:a",
    "\u{300}x",
    "xmlns:",
];
pub(super) const ATTRIBUTES: &[&str] = &[
    "a",
    "b",
    "A",
    "Z",
    "_x",
    "é",
    "x-1",
    "x.2",
    "guid",
    "version",
    "xml:lang",
    "xml:space",
    "xml:id",
    "xml:base",
    "Id",
    "名",
];
pub(super) const PLAIN: &[&str] = &[
    "x",
    "text",
    "合成样例",
    "0",
    " ",
    "  ",
    "é",
    "😀",
    "𠮷",
    "\u{85}",
    "\u{2028}",
    "\u{FFFD}",
    "\u{7F}",
    "\u{A0}",
    "\u{FEFF}",
    "]",
    "]]",
    ">",
    "=",
    "/",
];
pub(super) const REFS: &[&str] = &[
    "&lt;",
    "&gt;",
    "&amp;",
    "&quot;",
    "&apos;",
    "&#9;",
    "&#10;",
    "&#13;",
    "&#xD;",
    "&#xA;",
    "&#x9;",
    "&#32;",
    "&#x1F600;",
    "&#x4E2D;",
    "&#0065;",
    "&#xd;&#xa;",
    "&#x85;",
    "&#x2028;",
    "&amp;lt;",
    "&#38;",
    "&#60;",
    "&#x10FFFF;",
    "&#xFFFD;",
];
pub(super) const ODD_REFS: &[&str] = &[
    "&nbsp;",
    "&#0;",
    "&#x0;",
    "&#xFFFE;",
    "&#xD800;",
    "&#x110000;",
    "&",
    "&;",
    "&#;",
    "&#x;",
    "&lt",
    "&#1;",
    "&#xG;",
    "&#99999999999;",
    "& amp;",
];

impl Gen<'_> {
    pub(super) fn comment(&mut self) {
        self.put("<!--");
        for _ in 0..self.rng.below(4) {
            let piece =
                self.rng.pick(&["c", " ", "<a b=\"", "&amp;", "&nope;", "合成", "-x", "]]>", "?>", "<![CDATA[", "'"]);
            self.put(piece);
            if self.rng.chance(20) {
                self.newline();
            }
        }
        if self.odd && self.rng.chance(10) {
            self.put("--");
        }
        self.put("-->");
    }

    pub(super) fn instruction(&mut self) {
        let target = if self.odd && self.rng.chance(20) {
            self.rng.pick(&["xml", "XmL", "a:b", "1x", ":x", "", "xml-model"])
        } else {
            self.rng.pick(&["pi", "xml-stylesheet", "é", "p.q-1", "php"])
        };
        self.put("<?");
        self.put(target);
        if self.rng.chance(70) {
            self.space();
            for _ in 0..self.rng.below(4) {
                let piece = self.rng.pick(&["d", "a=\"b\"", " ", "&amp;", "&#13;", "<x>", "😀", "-->", "?", "\t"]);
                self.put(piece);
                if self.rng.chance(30) {
                    self.newline();
                }
            }
        }
        self.put("?>");
    }

    pub(super) fn cdata(&mut self) {
        self.put("<![CDATA[");
        for _ in 0..self.rng.below(5) {
            match self.rng.below(4) {
                0 => self.newline(),
                1 => {
                    let piece = self.rng.pick(&[
                        "<x>",
                        "&amp;",
                        "&#13;",
                        "]]",
                        "]",
                        ">",
                        "<![CDATA[",
                        "-->",
                        "\t",
                        "<a b=\"1\" c='",
                    ]);
                    self.put(piece);
                }
                _ => {
                    let piece = self.rng.pick(PLAIN);
                    self.put(piece);
                }
            }
        }
        self.put("]]>");
    }

    pub(super) fn text(&mut self) {
        for _ in 0..self.rng.below(5) {
            match self.rng.below(6) {
                0 => self.newline(),
                1 => self.put("\t"),
                2 => {
                    let piece = self.rng.pick(REFS);
                    self.put(piece);
                }
                3 if self.odd && self.rng.chance(10) => {
                    let piece = self.rng.pick(ODD_REFS);
                    self.put(piece);
                }
                4 if self.odd && self.rng.chance(10) => {
                    let piece =
                        self.rng.pick(&["]]>", "\u{1}", "\u{FFFE}", "\0", "<", "</x>", "<!x>", "<!ENTITY e \"x\">"]);
                    self.put(piece);
                }
                _ => {
                    let piece = self.rng.pick(PLAIN);
                    // `]` `]` `>` in a row is not text.
                    let joined = self.out.ends_with(']') && (piece == ">" || piece.starts_with(']'));
                    if !joined || self.odd {
                        self.put(piece);
                    }
                }
            }
        }
    }
}
