//! What the stories share: a shield that was found over PC/SC, documents of both parties, and the neighbour.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use shared_shield::link::Readers;
use shared_shield::{Content, Request, Role, Shield, Wait, link};

use crate::gm_shield::{SYNO, any, only, scanner};
use crate::pcscd::{Pcscd, Reader};
use crate::program::Program;
use crate::sm2_judge::{Judge, changed};

/// The shield in the story's reader.
pub(crate) fn shield() -> Shield {
    let readers: Arc<dyn Readers> = link::pcsc::system();
    only(&scanner(readers, SYNO).scan(&Wait::default()).unwrap())
}

/// Judges of both parties, by the certificates that the shield shows.
pub(crate) struct Judges([Judge; 2]);

impl Judges {
    pub(crate) fn of(shield: &Shield) -> Self {
        Judges(Role::ALL.map(|role| Judge::of(shield.credential(role, &any()).unwrap().certificate.der())))
    }

    fn at(&self, role: Role) -> &Judge {
        &self.0[Role::ALL.iter().position(|r| *r == role).unwrap()]
    }
}

/// A document: what is to be signed, and what openssl says of what came out.
pub(crate) struct Document {
    pub(crate) role: Role,
    text: Vec<u8>,
}

impl Document {
    /// A declaration, or for the bank a payment order; no two are the same.
    pub(crate) fn new(role: Role, number: usize) -> Self {
        let text = match role {
            Role::Customs => {
                let name = if number.is_multiple_of(2) { "CEB311.xml" } else { "CEB621.xml" };
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(name);
                let text = std::fs::read_to_string(path).unwrap();
                let (before, after) = text.split_once("<ceb:guid>5A9F").unwrap();
                format!("{before}<ceb:guid>{number:04X}{after}").into_bytes()
            }
            _ => format!("Pay CNY {number}.00 to Synthetic Trading Co\n").into_bytes(),
        };
        Document { role, text }
    }

    pub(crate) fn request(&self) -> Request {
        let content = Content::bytes(self.text.clone());
        if self.role == Role::Customs { Request::declaration(content) } else { Request::payment(content) }
    }

    /// openssl takes it, and does not take it with one octet changed.
    #[track_caller]
    pub(crate) fn is_judged(&self, judges: &Judges, out: &[u8]) {
        let judge = judges.at(self.role);
        match self.role {
            Role::Customs => {
                let text = String::from_utf8_lossy(out);
                assert!(text.contains("http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3\""), "{text}");
                assert!(text.contains("http://www.chinaport.gov.cn/2022/04/xmldsig#sm3\""), "{text}");
                assert!(judge.accepts_declaration(out), "openssl refuses {text}");
                assert!(!judge.accepts_declaration(&changed(out, b"<ceb:guid>0")), "with another guid");
            }
            _ => {
                assert!(judge.accepts_payment(out, &self.text), "openssl refuses a payment");
                let other = changed(&self.text, b"CNY ");
                assert!(!judge.accepts_payment(out, &other), "for another order");
                // The signature stands at the end of the message.
                let mut bent = out.to_vec();
                *bent.last_mut().unwrap() ^= 1;
                assert!(!judge.accepts_payment(&bent, &self.text), "with another signature");
            }
        }
    }
}

/// Where `tests/run` has built the programs of `tests/cards`.
pub(crate) fn neighbour() -> Option<PathBuf> {
    let named = std::env::var_os("SHIELD_TEST_CARDS").map(PathBuf::from);
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cards/target/debug");
    Some(named.unwrap_or(default).join("bad-neighbour")).filter(|path| path.exists())
}

/// A program that uses the same shield badly: it opens both applications, ends logins, closes what we have open, resets, and keeps the reader for
/// 3 s every 10 s, until it is ended.
pub(crate) struct Neighbour(Program);

impl Neighbour {
    pub(crate) fn annoys(pcscd: &Pcscd, reader: &Reader) -> Self {
        let mut command: Command = pcscd.tool(neighbour().expect("tests/cards is built"));
        command.args(["--reader", &reader.name, "--gm"]);
        let program = Program::start(command);
        program.expect("ready");
        Neighbour(program)
    }

    /// What it did.
    pub(crate) fn end(self) -> String {
        self.0.close();
        self.0.expect("visits")
    }
}
