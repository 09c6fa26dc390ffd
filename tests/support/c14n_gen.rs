//! Random XML documents, the same for the same seed: well-formed ones with everything that canonicalisers trip over,
//! and broken ones.
#![allow(dead_code)]

#[path = "c14n_pieces.rs"]
mod pieces;

use pieces::*;

/// SplitMix64: small, seeded, good enough to choose pieces of text.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

struct Gen<'r> {
    rng: &'r mut Rng,
    out: String,
    line_end: usize,
    odd: bool,
    scope: Vec<(String, String)>,
}

/// One document. Most are well-formed.
pub(crate) fn document(rng: &mut Rng) -> Vec<u8> {
    let line_end = rng.below(5);
    let odd = rng.chance(12);
    let signed = rng.chance(30);
    let mut g = Gen { rng, out: String::new(), line_end, odd, scope: Vec::new() };
    g.prolog();
    let prefix_free = g.rng.chance(40);
    g.element(0, signed, prefix_free);
    g.outside();
    let mut octets = g.out.into_bytes();
    if rng.chance(8) {
        damage(rng, &mut octets);
    }
    octets
}

/// One element, well-formed, that declares every prefix it uses.
pub(crate) fn element(rng: &mut Rng) -> String {
    let line_end = rng.below(5);
    let mut g = Gen { rng, out: String::new(), line_end, odd: false, scope: Vec::new() };
    g.element(0, false, false);
    g.out
}

fn damage(rng: &mut Rng, octets: &mut Vec<u8>) {
    const PUT: &[u8] = b"<>&\"'=/!?-]:; \t\r\n\0aZ1[#x";
    for _ in 0..=rng.below(3) {
        if octets.is_empty() {
            return;
        }
        let at = rng.below(octets.len());
        match rng.below(6) {
            0 => drop(octets.remove(at)),
            1 => octets[at] = PUT[rng.below(PUT.len())],
            2 => octets.insert(at, PUT[rng.below(PUT.len())]),
            3 => octets[at] = (rng.next() & 0xFF) as u8,
            4 => octets.truncate(at),
            _ => {
                let end = (at + rng.below(20)).min(octets.len());
                let piece = octets[at..end].to_vec();
                octets.splice(at..at, piece);
            }
        }
    }
}

impl Gen<'_> {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn newline(&mut self) {
        let end = match self.line_end {
            0 | 1 => "\n",
            2 => "\r\n",
            3 => self.rng.pick(&["\n", "\r\n", "\r", "\n\r", "\r\r\n"]),
            _ => self.rng.pick(&["\r\n", "\r"]),
        };
        self.put(end);
    }

    fn space(&mut self) {
        match self.rng.below(5) {
            0 => self.newline(),
            1 => self.put("\t"),
            2 => self.put("  "),
            _ => self.put(" "),
        }
    }

    fn maybe_space(&mut self) {
        if self.rng.chance(25) {
            self.space();
        }
    }

    fn prolog(&mut self) {
        if self.rng.chance(6) {
            self.put("\u{FEFF}");
        }
        if self.rng.chance(70) {
            let all = [
                "<?xml version=\"1.0\"?>",
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
                "<?xml version='1.0' encoding='utf-8' standalone='yes'?>",
                "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\" ?>",
                "<?xml\tversion = \"1.0\"\r\nencoding = 'Utf-8'?>",
            ];
            let odd = [
                "<?xml version=\"1.1\"?>",
                "<?xml version=\"1.0\" encoding=\"GBK\"?>",
                "<?xml version=\"1.0\" encoding=\"UTF-16\"?>",
                "<?xml encoding=\"UTF-8\"?>",
                " <?xml version=\"1.0\"?>",
                "<?XML version=\"1.0\"?>",
                "<?xml version=\"2.0\"?>",
                "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>",
                "<?xml version=\"1.0\" encoding=\"\"?>",
                "<?xml version=\"1.0\" standalone=\"maybe\"?>",
                "<?xml version=\"1.0\"encoding=\"UTF-8\"?>",
                "<?xml version=\"1.0\" encoding=\"UTF8\"?>",
                "<?xml version=\"1.0\" encoding=\"us-ascii\"?>",
            ];
            let text = if self.odd && self.rng.chance(40) { self.rng.pick(&odd) } else { self.rng.pick(&all) };
            self.put(text);
        }
        if self.rng.chance(50) {
            self.newline();
        }
        self.outside();
        if self.odd && self.rng.chance(15) {
            let doctype = self.rng.pick(&[
                "<!DOCTYPE a>",
                "<!DOCTYPE a SYSTEM \"x.dtd\">",
                "<!DOCTYPE a [<!ENTITY e \"x\">]>",
                "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>",
                "<!DOCTYPE a [<!ATTLIST a x CDATA \"d\">]>",
                "<!doctype a>",
                "<!DOCTYPE a [<!ENTITY a0 \"x\"><!ENTITY a1 \"&a0;&a0;\">]>",
            ]);
            self.put(doctype);
        }
    }

    fn outside(&mut self) {
        for _ in 0..self.rng.below(4) {
            match self.rng.below(3) {
                0 => self.newline(),
                1 => self.comment(),
                _ => self.instruction(),
            }
        }
        if self.odd && self.rng.chance(3) {
            let text = self.rng.pick(&["text", "<![CDATA[x]]>", "&amp;", "<b/>", "\u{FEFF}", "]]>"]);
            self.put(text);
        }
    }

    fn value(&mut self) {
        let quote = self.rng.pick(&["\"", "\"", "'"]);
        self.put(quote);
        for _ in 0..self.rng.below(6) {
            match self.rng.below(10) {
                0 => self.newline(),
                1 => self.put("\t"),
                2 | 3 => {
                    let piece = self.rng.pick(REFS);
                    self.put(piece);
                }
                4 => self.put(if quote == "'" { "\"" } else { "'" }),
                5 if self.odd && self.rng.chance(10) => {
                    let piece = self.rng.pick(ODD_REFS);
                    self.put(piece);
                }
                6 if self.odd && self.rng.chance(10) => self.put("<"),
                _ => {
                    let piece = self.rng.pick(PLAIN);
                    self.put(piece);
                }
            }
        }
        self.put(quote);
    }

    fn declarations(&mut self, root: bool) {
        let mut done: Vec<&str> = Vec::new();
        let count = if root { self.rng.below(4) } else { self.rng.below(12).saturating_sub(9) };
        for _ in 0..count {
            let prefix = self.rng.pick(PREFIXES);
            if done.contains(&prefix) && !(self.odd && self.rng.chance(5)) {
                continue;
            }
            done.push(prefix);
            let mut uri = self.rng.pick(URIS);
            if prefix.is_empty() && self.rng.chance(30) {
                uri = "";
            }
            if self.odd && self.rng.chance(15) {
                uri = self.rng.pick(ODD_URIS);
            }
            self.space();
            self.put("xmlns");
            if !prefix.is_empty() {
                self.put(":");
                self.put(prefix);
            }
            self.maybe_space();
            self.put("=");
            self.maybe_space();
            let quote = if self.rng.chance(20) && !uri.contains('\'') { "'" } else { "\"" };
            self.put(quote);
            self.put(uri);
            self.put(quote);
            self.scope.push((prefix.to_owned(), uri.to_owned()));
        }
        if self.rng.chance(2) {
            self.put(" xmlns:xml=\"http://www.w3.org/XML/1998/namespace\"");
        }
    }

    /// A prefix in scope with its colon, or nothing.
    fn prefix(&mut self) -> String {
        let known: Vec<String> =
            self.scope.iter().filter(|(p, u)| !p.is_empty() && !u.is_empty()).map(|(p, _)| p.clone()).collect();
        if known.is_empty() || self.rng.chance(40) {
            return String::new();
        }
        let at = self.rng.below(known.len());
        format!("{}:", known[at])
    }

    fn attributes(&mut self) {
        let mut done: Vec<String> = Vec::new();
        for _ in 0..self.rng.below(5) {
            let mut name = self.rng.pick(ATTRIBUTES).to_owned();
            if !name.contains(':') && self.rng.chance(40) {
                name = format!("{}{name}", self.prefix());
            }
            if self.odd && self.rng.chance(4) {
                name = self.rng.pick(ODD_NAMES).to_owned();
            }
            if done.contains(&name) && !(self.odd && self.rng.chance(30)) {
                continue;
            }
            self.space();
            self.put(&name);
            self.maybe_space();
            self.put("=");
            self.maybe_space();
            if name == "xml:space" {
                self.put("\"preserve\"");
            } else if name == "xml:id" && !(self.odd && self.rng.chance(20)) {
                let id = self.rng.next() % 100_000;
                self.put(&format!("\"i{id}\""));
            } else {
                self.value();
            }
            done.push(name);
        }
    }

    fn element(&mut self, depth: usize, signed: bool, prefix_free: bool) {
        let mark = self.scope.len();
        let open_at = self.out.len();
        // The declarations come first so that the name may use them.
        self.declarations(depth == 0);
        let mut name = self.rng.pick(LOCALS).to_owned();
        if !prefix_free {
            name = format!("{}{name}", self.prefix());
        }
        if self.odd && self.rng.chance(2) {
            name = self.rng.pick(ODD_NAMES).to_owned();
        }
        self.out.insert_str(open_at, &format!("<{name}"));
        self.attributes();
        self.maybe_space();
        if !signed && self.rng.chance(12) {
            self.put("/>");
            self.scope.truncate(mark);
            return;
        }
        self.put(">");
        self.content(depth);
        if signed {
            self.signature();
            if self.rng.chance(30) {
                self.text();
            }
        }
        self.put("</");
        self.put(&name);
        self.maybe_space();
        self.put(">");
        self.scope.truncate(mark);
    }

    fn content(&mut self, depth: usize) {
        for _ in 0..self.rng.below(7) {
            match self.rng.below(12) {
                0..=3 if depth < 5 => {
                    let prefix_free = self.rng.chance(40);
                    self.element(depth + 1, false, prefix_free);
                }
                4 => self.comment(),
                5 => self.instruction(),
                6 => self.cdata(),
                7 => self.newline(),
                _ => self.text(),
            }
        }
    }

    /// A Signature of the right shape, with the name space prefix and the white space it may have.
    fn signature(&mut self) {
        let prefix = self.rng.pick(&["ds:", "ds:", "dsig:", ""]);
        let gap = self.rng.chance(25);
        let colon = if prefix.is_empty() { String::new() } else { format!(":{}", prefix.trim_end_matches(':')) };
        self.put(&format!("<{prefix}Signature xmlns{colon}=\"{DSIG}\""));
        if self.rng.chance(10) {
            self.put(" xml:lang='zh'");
        }
        self.put(">");
        if gap {
            self.newline();
        }
        self.put(&format!("<{prefix}SignedInfo"));
        if self.rng.chance(10) {
            self.put(" xmlns:q='urn:q'");
        }
        if self.rng.chance(10) {
            self.put(" xml:space='default'");
        }
        self.put(">");
        let methods = [
            "CanonicalizationMethod Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"",
            "SignatureMethod Algorithm='http://www.w3.org/2000/09/xmldsig#rsa-sha1'",
        ];
        for method in methods {
            self.put(&format!("<{prefix}{method}/>"));
            if gap {
                self.newline();
            }
            if self.rng.chance(8) {
                self.comment();
            }
        }
        self.put(&format!(
            "<{prefix}Reference URI=\"\"><{prefix}DigestMethod Algorithm=\"{DSIG}sha1\"></{prefix}DigestMethod><{prefix}DigestValue>AAAA</{prefix}DigestValue></{prefix}Reference></{prefix}SignedInfo><{prefix}SignatureValue>AA=="
        ));
        if gap {
            self.newline();
        }
        self.put(&format!("</{prefix}SignatureValue></{prefix}Signature>"));
    }
}
