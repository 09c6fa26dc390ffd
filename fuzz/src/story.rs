//! The story: a scan, and then what people do with a shield. Each act is judged by itself, whatever became of the ones before.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::DecodePublicKey;
use shared_shield::suite::KeyKind;
use shared_shield::{
    Certificate, Consent, Content, Declined, Error, ErrorKind, FixedClock, Pin, PinEntry, PinQuestion, Policy, Profile,
    Receipt, Reference, Request, Result, Role, Scan, Scanner, Selector, Shield, Suite, Unlock, Wait, policy,
};

use crate::link::{Desk, has};
use crate::memory;

const DOCUMENT: &[u8] = b"order 4711";
/// The identifier in Z (GM/T 0009-2012 §10).
const SM2_ID: &str = "1234567812345678";

const PROFILE: &str = "schema = 1\nname = \"story\"\ntest = true\n\n[[customs.issuer]]\ncommon_name = \"Story customs CA\"\n\n\
                       [[bank.issuer]]\ncommon_name = \"Story bank CA\"\n";

static RULES: LazyLock<Arc<Profile>> = LazyLock::new(|| Arc::new(Profile::parse(PROFILE).expect("a profile")));

/// 2027-06-01: the certificates of the story are valid.
const NOW: u64 = 1_811_808_000;

/// An act ends in this time; one that restarts the service takes a tenth of a second.
const TIME: Duration = Duration::from_secs(10);
/// What a call waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most that an act may use, in octets.
const MEMORY: usize = 4 * 1024 * 1024;
/// The most commands of an act. A scan may read 30 data objects, and each may come in [`policy::ANSWER_ROUNDS`] parts.
const COMMANDS: u64 = 40 * (policy::ANSWER_ROUNDS as u64 + 2);
/// What one PIN entry may sign in a batch of the bank.
const BANK_BATCH: u32 = 2;

/// PINs of the story. No octet of them is a hexadecimal digit in a log by chance.
#[derive(Debug, Clone)]
pub struct Secrets {
    pub pin: String,
    /// The bank's PIN, where it is not the same.
    pub bank: Option<String>,
    pub wrong: String,
    pub new: String,
    /// What another program changes the PIN to.
    pub other: String,
    pub puk: String,
    pub new_puk: String,
}

impl Secrets {
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let all = [&self.pin, &self.wrong, &self.new, &self.other, &self.puk, &self.new_puk];
        all.into_iter().chain(&self.bank).map(String::as_str)
    }
}

impl Default for Secrets {
    fn default() -> Self {
        let text = |text: &str| text.to_owned();
        Secrets {
            pin: text("Qx7!zK2"),
            bank: None,
            wrong: text("hW~8qVt"),
            new: text("rY?5mJuS"),
            other: text("pZ)4nXo"),
            puk: text("kU(9sGwL"),
            new_puk: text("vT&6yHiM"),
        }
    }
}

/// What became of a story.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// A card was asked for a signature.
    pub reached: bool,
    /// Signatures that were handed out, each of them right.
    pub signed: u32,
    /// The kinds of the errors, in order of the acts; `None` for each that succeeded.
    pub acts: Vec<(&'static str, Option<ErrorKind>)>,
    /// What must not have happened.
    pub complaints: Vec<String>,
}

/// A story under way.
pub struct Story<'s> {
    desk: &'s Desk,
    secrets: &'s Secrets,
    rules: Arc<Profile>,
    /// What each call waits.
    patience: Duration,
    /// The PIN in force, as far as this library knows.
    pin: String,
    outcome: Outcome,
}

impl<'s> Story<'s> {
    /// Goes through the acts of these bits.
    pub fn run(desk: &'s Desk, secrets: &'s Secrets, acts: u8) -> Outcome {
        Story::under((Arc::clone(&RULES), PATIENCE), desk, secrets, acts)
    }

    /// The same under another profile, and with other patience.
    pub fn under(
        (rules, patience): (Arc<Profile>, Duration),
        desk: &'s Desk,
        secrets: &'s Secrets,
        acts: u8,
    ) -> Outcome {
        let pin = secrets.pin.clone();
        let mut story = Story { desk, secrets, rules, patience, pin, outcome: Outcome::default() };
        let Some(shield) = story.shield() else { return story.outcome };
        let does = |bit: u8| acts >> bit & 1 != 0;
        let all: [fn(&mut Self, &Shield); 8] = [
            Story::wrong_pin,
            |story, shield| story.sign(shield, Role::Customs),
            |story, shield| story.batch(shield, Role::Customs),
            |story, shield| story.sign(shield, Role::Bank),
            |story, shield| story.batch(shield, Role::Bank),
            Story::payment,
            Story::change_pins,
            Story::by_reference,
        ];
        for (bit, act) in (0..).zip(all) {
            if does(bit) {
                act(&mut story, &shield);
            }
        }
        story.outcome
    }

    /// Does one act, and judges it. `pins` is how many commands with a PIN it may send.
    fn act<R>(&mut self, name: &'static str, pins: u32, work: impl FnOnce(&mut Self) -> Result<R>) -> Option<R> {
        let (before, refusals, since) = (memory::restart(), self.desk.refusals(), Instant::now());
        let result = work(self);
        let (took, used) = (since.elapsed(), memory::most().saturating_sub(before));
        let ledger = self.desk.close_act();
        let refused = self.desk.refusals() - refusals;
        let complaints = &mut self.outcome.complaints;
        let mut complain = |what: String| complaints.push(format!("{name}: {what}"));
        ledger.complaints.into_iter().for_each(&mut complain);
        if took > TIME {
            complain(format!("took {took:?}"));
        }
        if used > MEMORY {
            complain(format!("used {used} octets"));
        }
        if ledger.commands > COMMANDS {
            complain(format!("sent {} commands", ledger.commands));
        }
        if ledger.pins > pins {
            complain(format!("sent a PIN {} times", ledger.pins));
        }
        // A link that lies can say that a PIN was accepted; one that only breaks cannot make the library try twice.
        if refused > 1 && !ledger.lied {
            complain(format!("the card refused {refused} PINs"));
        }
        self.outcome.reached |= ledger.signs > 0;
        self.outcome.acts.push((name, result.as_ref().err().map(Error::kind)));
        result.map_err(|error| self.look_at(name, &error)).ok()
    }

    /// An error is no defect and holds no PIN, in whatever form a log may have it.
    fn look_at(&mut self, name: &str, error: &Error) {
        let mut texts = vec![error.to_string(), format!("{error:?}"), error.message_zh()];
        texts.extend(error.looked_at().iter().map(|c| format!("{} {}", c.label, c.reason)));
        let text = texts.join("\n");
        if error.kind() == ErrorKind::Defect {
            self.outcome.complaints.push(format!("{name}: {text}"));
        }
        for secret in self.secrets.all() {
            let octets = secret.as_bytes();
            let join =
                |each: fn(&u8) -> String, between: &str| octets.iter().map(each).collect::<Vec<_>>().join(between);
            let hex = join(|o| format!("{o:02x}"), "");
            let forms = [
                secret.to_owned(),
                hex.to_uppercase(),
                hex,
                join(|o| format!("{o:02X}"), " "),
                join(u8::to_string, ", "),
            ];
            if forms.iter().any(|form| text.contains(form.as_str())) {
                self.outcome.complaints.push(format!("{name}: a PIN in an error"));
            }
        }
    }

    fn scanner(&self) -> Scanner {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        Scanner::new()
            .profile(Arc::clone(&self.rules))
            .clock(Arc::new(FixedClock(now)))
            .readers(Arc::new(self.desk.clone()))
    }

    fn scan(&mut self, name: &'static str, scanner: &Scanner) -> Option<Scan> {
        let scan = self.act(name, 0, |story| scanner.scan(&story.wait()))?;
        scan.problems.iter().for_each(|problem| self.look_at(name, problem));
        Some(scan)
    }

    fn shield(&mut self) -> Option<Shield> {
        let scan = self.scan("scan", &self.scanner())?;
        self.act("find", 0, |_| scan.only().cloned())
    }

    fn wrong_pin(&mut self, shield: &Shield) {
        let wrong = self.secrets.wrong.clone();
        self.one(shield, "wrong PIN", Request::raw(Role::Customs, document()), &wrong);
    }

    fn sign(&mut self, shield: &Shield, role: Role) {
        let name = if role == Role::Customs { "sign customs" } else { "sign bank" };
        let pin = self.pin_of(role);
        if let Some(out) = self.one(shield, name, Request::raw(role, document()), &pin) {
            self.check(name, shield, role, &out);
        }
    }

    fn wait(&self) -> Wait {
        Wait::at_most(self.patience)
    }

    /// The PIN in force for a role, as far as this library knows.
    fn pin_of(&self, role: Role) -> String {
        self.secrets.bank.clone().filter(|_| role == Role::Bank).unwrap_or_else(|| self.pin.clone())
    }

    fn payment(&mut self, shield: &Shield) {
        let pin = self.pin_of(Role::Bank);
        self.one(shield, "payment", Request::payment(document()), &pin);
    }

    /// One signature: what was written.
    fn one(&mut self, shield: &Shield, name: &'static str, request: Request, pin: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let receipt = self.act(name, 1, |story| shield.sign(request, &mut typing(pin), &story.wait(), &mut out));
        self.written(name, receipt.as_ref(), &out);
        receipt.map(|_| out)
    }

    /// Whoever failed has written nothing.
    fn written(&mut self, name: &str, receipt: Option<&Receipt>, out: &[u8]) {
        self.outcome.signed += u32::from(receipt.is_some());
        if receipt.is_some() == out.is_empty() {
            self.outcome.complaints.push(format!("{name}: {} octets written, {receipt:?}", out.len()));
        }
    }

    /// One entry and two signatures. With the PIN-every-time key of the bank, each sends the PIN again: accepted ones alone.
    fn batch(&mut self, shield: &Shield, role: Role) {
        let (name, unlock) = if role == Role::Customs {
            ("batch customs", Unlock::of(role))
        } else {
            ("batch bank", Unlock::of(role).policy(Policy { signatures: BANK_BATCH, ..Policy::of(role) }))
        };
        let resends = Policy::of(Role::Customs).resends + BANK_BATCH * (policy::RECONNECTS + 2);
        let pin = self.pin_of(role);
        let mut outs = Vec::new();
        self.act(name, 1 + resends, |story| {
            let session = shield.unlock(unlock, &mut typing(&pin), &story.wait())?;
            for _ in 0..2 {
                let mut out = Vec::new();
                let receipt = session.sign(Request::raw(role, document()), &story.wait(), &mut out);
                story.written(name, receipt.as_ref().ok(), &out);
                outs.extend(receipt.is_ok().then_some(out));
                receipt.inspect_err(|error| story.look_at(name, error)).map(drop).or_else(again)?;
            }
            Ok(())
        });
        outs.iter().for_each(|out| self.check(name, shield, role, out));
    }

    fn change_pins(&mut self, shield: &Shield) {
        let any = Selector::default();
        let Secrets { pin: first, new: second, puk: puk_text, new_puk, .. } = self.secrets;
        self.act("PIN status", 0, |story| shield.pin_status(Role::Customs, &any, &story.wait()));
        let (old, new) = (pin(&self.pin), pin(second));
        let changed = self.act("change PIN", 1, |story| {
            shield.change_pin(Role::Customs, &any, (&old, &new), Consent::None, &story.wait())
        });
        if changed.is_some() {
            self.pin.clone_from(second);
        }
        let puk = pin(puk_text);
        let first_again = pin(first);
        let unblocked = self.act("unblock", 1, |story| {
            shield.unblock_pin(Role::Customs, &any, (&puk, &first_again), Consent::None, &story.wait())
        });
        if unblocked.is_some() {
            self.pin.clone_from(first);
        }
        self.act("change PUK", 1, |story| {
            shield.change_puk(Role::Customs, &any, (&puk, &pin(new_puk)), Consent::None, &story.wait())
        });
    }

    fn by_reference(&mut self, shield: &Shield) {
        let listed = shield.certificates();
        let Some(text) = listed.iter().flat_map(|l| &l.references).map(ToString::to_string).next() else { return };
        let Some(reference) = Reference::parse(&text) else {
            return self.outcome.complaints.push(format!("reference: {text:?} does not read"));
        };
        let scanner = self.scanner().reference(reference);
        let Some(scan) = self.scan("reference", &scanner) else { return };
        if let Some(one) = scan.shields.first() {
            self.sign(one, Role::Customs);
        }
    }

    /// Another implementation judges what was handed out, with the certificate that was shown.
    fn check(&mut self, name: &str, shield: &Shield, role: Role, out: &[u8]) {
        let right = shield.credential(role, &Selector::default()).is_ok_and(|c| verifies(&c.certificate, out));
        if !right {
            self.outcome.complaints.push(format!("{name}: a signature that is none: {out:02X?}"));
        }
    }
}

/// The next signature of a batch is tried whatever became of this one, unless nobody is asked any more.
fn again(error: Error) -> Result<()> {
    if error.kind() == ErrorKind::SessionEnded { Err(error) } else { Ok(()) }
}

fn verifies(certificate: &Certificate, out: &[u8]) -> bool {
    let Ok(key) = certificate.key() else { return false };
    if key.kind() == KeyKind::Sm2 {
        return verifies_sm2(certificate, out);
    }
    if key.kind() != KeyKind::P256 {
        // A certificate that the input made.
        return Suite::preferred(key.kind()).is_some();
    }
    let (Ok(spki), Ok(signature)) = (certificate.spki(), Signature::from_der(out)) else { return false };
    VerifyingKey::from_public_key_der(&spki).is_ok_and(|key| key.verify(DOCUMENT, &signature).is_ok())
}

fn verifies_sm2(certificate: &Certificate, out: &[u8]) -> bool {
    let Ok(spki) = certificate.spki() else { return false };
    let key = sm2::PublicKey::from_public_key_der(&spki).ok();
    let key = key.and_then(|key| sm2::dsa::VerifyingKey::new(SM2_ID, key).ok());
    let signature = sm2::dsa::Signature::from_der(out).ok();
    key.zip(signature).is_some_and(|(key, signature)| key.verify(DOCUMENT, &signature).is_ok())
}

fn document() -> Content {
    Content::bytes(DOCUMENT.to_vec())
}

fn pin(text: &str) -> Pin {
    Pin::new(Role::Customs, text.as_bytes()).expect("a PIN")
}

fn typing(text: &str) -> impl FnMut(&PinQuestion<'_>) -> std::result::Result<PinEntry, Declined> {
    move |question| question.pin(text.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
}

/// Whether octets hold a good part of a secret.
pub fn holds_a_secret(octets: &[u8], secrets: &Secrets) -> bool {
    secrets.all().any(|secret| secret.as_bytes().windows(4).any(|part| has(octets, part)))
}
