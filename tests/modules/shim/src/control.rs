//! The control file: which answers are to be wrong. One rule a line, `VERB ARGUMENT... OPTION=VALUE...`.

use crate::{sm2, table};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What a verb's positional arguments are.
#[derive(Clone, Copy)]
enum Arg {
    Function,
    Number,
    NumberOr(u64),
    /// Vendor codes only: CKR_VENDOR_DEFINED (0x80000000) and above.
    Vendor,
    Milliseconds,
    Text,
    /// Its content, read when the line is.
    File,
    /// What an SM2 mechanism does.
    Form,
    /// What is wrong with an SM2 signature.
    Bend,
}

/// All CKF_USER_PIN_* and CKF_SO_PIN_* bits of CK_TOKEN_INFO.flags.
const PIN_FLAGS: u64 = 0x00ff_0000;

/// Verb, arguments, and the options that it takes beside `token`, `skip` and `times`.
const VERBS: &[(&str, &[Arg], &[&str])] = &[
    ("rv", &[Arg::Function, Arg::Number], &[]),
    ("vendor-rv", &[Arg::Function, Arg::Vendor], &[]),
    ("rv-after", &[Arg::Function, Arg::Number], &[]),
    ("delay", &[Arg::Function, Arg::Milliseconds], &[]),
    ("hang", &[Arg::Function], &[]),
    ("flip-signature", &[], &[]),
    ("long-signature", &[Arg::Number], &["on"]),
    ("short-signature", &[Arg::Number], &["on"]),
    ("huge-attribute", &[Arg::NumberOr(1 << 40)], &["on", "type"]),
    ("swap-cert", &[Arg::File], &[]),
    ("deny-find", &[], &[]),
    ("endless-find", &[], &[]),
    ("find-count", &[Arg::Number], &[]),
    ("slots", &[Arg::Number], &["on"]),
    ("flags-or", &[Arg::Number], &[]),
    ("flags-clear", &[Arg::NumberOr(PIN_FLAGS)], &[]),
    ("serial", &[Arg::Text], &[]),
    ("label", &[Arg::Text], &[]),
    ("sm2", &[Arg::Number, Arg::Form], &[]),
    ("sm2-key-type", &[Arg::Number], &[]),
    ("sm2-bend", &[Arg::Bend], &[]),
];

/// The two halves of PKCS#11's length convention: a null buffer asks for the length, then the data is fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Query,
    Data,
}

/// What a rule is held against.
#[derive(Clone, Copy)]
pub(crate) struct Event<'a> {
    pub(crate) function: &'a str,
    pub(crate) token: Option<&'a [u8]>,
    pub(crate) phase: Phase,
    pub(crate) attribute: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) line: String,
    pub(crate) verb: &'static str,
    pub(crate) function: Option<&'static str>,
    pub(crate) number: u64,
    pub(crate) text: Vec<u8>,
    /// CK_ATTRIBUTE_TYPE that an attribute rule is for; none: all.
    attribute: Option<u64>,
    token: Option<Vec<u8>>,
    on: Option<Phase>,
    skip: u64,
    times: u64,
    seen: AtomicU64,
}

impl Rule {
    /// Whether the rule is for this event; if so the event counts towards `skip` and `times`.
    pub(crate) fn fires(&self, event: Event) -> bool {
        let fits = self.function.is_none_or(|f| f == event.function)
            && self.token.as_deref().is_none_or(|t| Some(t) == event.token)
            && self.attribute.is_none_or(|a| Some(a) == event.attribute)
            && self.on.is_none_or(|on| on == event.phase);
        fits && {
            let before = self.seen.fetch_add(1, Ordering::Relaxed);
            before >= self.skip && before - self.skip < self.times
        }
    }
}

/// The rules of the file as it is now. Counters start anew when its content changes. Err: the first line that is no rule.
pub(crate) type Rules = Result<Vec<Rule>, String>;

static LAST: Mutex<Option<(String, Arc<Rules>)>> = Mutex::new(None);

/// Reads the file on each call, since a time stamp may miss two changes in one tick. No file: no rules.
pub(crate) fn current(file: Option<&Path>) -> Arc<Rules> {
    let text = match file.map(std::fs::read_to_string) {
        Some(Ok(text)) => text,
        Some(Err(e)) if e.kind() != std::io::ErrorKind::NotFound => return Arc::new(Err(format!("control file: {e}"))),
        _ => String::new(),
    };
    let mut last = LAST.lock().unwrap_or_else(|e| e.into_inner());
    match &*last {
        Some((known, rules)) if *known == text => Arc::clone(rules),
        _ => {
            let rules = Arc::new(parse(&text));
            if let Err(why) = &*rules {
                eprintln!("p11shim: {why}");
            }
            *last = Some((text, Arc::clone(&rules)));
            rules
        }
    }
}

fn parse(text: &str) -> Rules {
    text.lines()
        .enumerate()
        .map(|(i, line)| (i, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(i, line)| rule(line).map_err(|why| format!("control line {}: {why}: {line}", i + 1)))
        .collect()
}

fn rule(line: &str) -> Result<Rule, String> {
    let mut words = line.split_ascii_whitespace();
    let given = words.next().unwrap_or_default();
    let (verb, kinds, options) = VERBS.iter().find(|(v, ..)| *v == given).ok_or("unknown verb")?;
    let mut rule = Rule {
        line: line.to_owned(),
        verb,
        function: None,
        number: 0,
        text: Vec::new(),
        attribute: None,
        token: None,
        on: None,
        skip: 0,
        times: u64::MAX,
        seen: AtomicU64::new(0),
    };
    let mut kinds = kinds.iter();
    for word in words {
        if !option(&mut rule, options, word)? {
            argument(&mut rule, *kinds.next().ok_or("too many arguments")?, word)?;
        }
    }
    match kinds.next() {
        None => Ok(rule),
        Some(Arg::NumberOr(default)) => Ok(Rule { number: *default, ..rule }),
        Some(_) => Err("an argument is missing".into()),
    }
}

/// False: not an option, so an argument.
fn option(rule: &mut Rule, allowed: &[&str], word: &str) -> Result<bool, String> {
    let Some((name, value)) = word.split_once('=') else { return Ok(false) };
    match (name, value) {
        ("token", label) => rule.token = Some(unescape(label)?),
        ("times", n) => rule.times = number(n)?,
        ("skip", n) => rule.skip = number(n)?,
        ("on" | "type", _) if !allowed.contains(&name) => return Err(format!("{name}= means nothing here")),
        ("type", n) => rule.attribute = Some(number(n)?),
        ("on", "query") => rule.on = Some(Phase::Query),
        ("on", "data") => rule.on = Some(Phase::Data),
        _ => return Err(format!("unknown option {word} (write = as %3d in an argument)")),
    }
    Ok(true)
}

fn argument(rule: &mut Rule, kind: Arg, word: &str) -> Result<(), String> {
    match kind {
        Arg::Function => {
            let known = table::NAMES.iter().find(|n| **n == word);
            rule.function = Some(known.ok_or_else(|| format!("no such function {word}"))?);
        }
        Arg::Number | Arg::NumberOr(_) => rule.number = number(word)?,
        Arg::Vendor => {
            rule.number = number(word)?;
            if !(0x8000_0000..=0xffff_ffff).contains(&rule.number) {
                return Err("not a vendor's return value (0x80000000 and above)".into());
            }
        }
        Arg::Milliseconds => rule.number = number(word.strip_suffix("ms").ok_or("a delay is written like 30ms")?)?,
        Arg::Text => rule.text = unescape(word)?,
        Arg::Form => {
            sm2::form(word.as_bytes()).ok_or_else(|| format!("no such form {word}"))?;
            rule.text = word.into();
        }
        Arg::Bend if !sm2::BENDS.contains(&word) => return Err(format!("no such bend {word}")),
        Arg::Bend => rule.text = word.into(),
        Arg::File => rule.text = std::fs::read(word).map_err(|e| format!("{word}: {e}"))?,
    }
    Ok(())
}

fn number(word: &str) -> Result<u64, String> {
    match word.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None if word == "unavailable" => return Ok(u64::MAX), // CK_UNAVAILABLE_INFORMATION
        None => word.parse(),
    }
    .map_err(|e| format!("{word}: {e}"))
}

/// A word without blanks: everything but printable ASCII, and `%` itself, as %XX.
pub(crate) fn escape(octets: &[u8]) -> String {
    octets
        .iter()
        .map(|o| match o {
            b'!'..=b'~' if *o != b'%' => char::from(*o).to_string(),
            _ => format!("%{o:02x}"),
        })
        .collect()
}

fn unescape(word: &str) -> Result<Vec<u8>, String> {
    let mut parts = word.split('%');
    let mut octets = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (hex, rest) = part.split_at_checked(2).ok_or("% wants two hex digits")?;
        octets.push(u8::from_str_radix(hex, 16).map_err(|_| "% wants two hex digits")?);
        octets.extend_from_slice(rest.as_bytes());
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(line: &str) -> Rule {
        parse(line).unwrap().pop().unwrap()
    }

    fn login(token: &[u8]) -> Event<'_> {
        Event { function: "C_Login", token: Some(token), phase: Phase::Data, attribute: None }
    }

    #[test]
    fn every_line_of_the_readme_is_a_rule_and_every_verb_is_in_it() {
        let readme = include_str!("../../README.md");
        let block = readme.split("```control\n").nth(1).unwrap().split("```").next().unwrap();
        let rules = parse(&block.replace("other.der", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).unwrap();
        for (verb, ..) in VERBS {
            assert!(rules.iter().any(|r| r.verb == *verb), "{verb} is not in the README");
        }
    }

    #[test]
    fn a_rule_fires_for_its_function_token_and_phase_only() {
        let r = only("rv C_Login 0x100 token=test%20bank");
        assert_eq!(r.number, 0x100);
        assert!(r.fires(login(b"test bank")));
        assert!(!r.fires(login(b"test")));
        assert!(!r.fires(Event { token: None, ..login(b"") }));
        assert!(!r.fires(Event { function: "C_Logout", ..login(b"test bank") }));
        let r = only("huge-attribute unavailable type=0x11 on=query");
        assert_eq!(r.number, u64::MAX);
        let query = Event { phase: Phase::Query, attribute: Some(0x11), ..login(b"") };
        assert!(r.fires(query));
        assert!(!r.fires(Event { phase: Phase::Data, ..query }));
        assert!(!r.fires(Event { attribute: Some(0x12), ..query }));
    }

    #[test]
    fn skip_and_times_count_the_calls_that_fit() {
        let r = only("rv C_Login 48 skip=1 times=2");
        r.fires(Event { function: "C_Logout", ..login(b"") });
        let fired: Vec<bool> = (0..5).map(|_| r.fires(login(b""))).collect();
        assert_eq!(fired, [false, true, true, false, false]);
    }

    #[test]
    fn a_line_that_is_no_rule_is_refused_with_its_number() {
        let bad_lines = [
            "rv C_Sing 1",
            "rv C_Sign",
            "rv C_Sign 1 2",
            "rv C_Sign 1 on=data",
            "rv C_Sign 1 time=3",
            "slots 3 on=never",
            "frobnicate",
            "delay C_Sign 30",
            "vendor-rv C_Sign 0x30",
            "label %f",
            "swap-cert /no/such/file",
            "sm2 0x80008105",
            "sm2 0x80008105 raw",
            "sm2-bend backwards",
        ];
        for bad in bad_lines {
            let why = parse(&format!("# comment\n\n{bad}")).unwrap_err();
            assert!(why.starts_with("control line 3: "), "{bad}: {why}");
        }
    }

    #[test]
    fn labels_survive_the_way_into_a_log_word_and_back() {
        let label = b"two words % \xff\x00".as_slice();
        assert_eq!(escape(label), "two%20words%20%25%20%ff%00");
        assert_eq!(unescape(&escape(label)).unwrap(), label);
        assert_eq!(unescape("海关").unwrap(), "海关".as_bytes());
    }
}
