//! The answer to the library's question for a PIN: role, document and tries are shown, and a refused PIN is not sent again.

use shared_shield::{Consent, Declined, Error, ErrorKind, PinEntry, PinPrompt, PinQuestion, Result};

use crate::args::PinArgs;
use crate::entry::{self, Source};
use crate::screen::{Lang, Screen, quote};
use crate::words;

/// On which stream what is to be signed is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tells {
    /// Before the result.
    Stdout,
    /// Beside a result that a program reads: on stdout is nothing but JSON then.
    Stderr,
}

/// As often a person may enter what cannot be a PIN of the token; nothing is sent then.
const ENTRIES: usize = 3;

/// Answers the library's question for a PIN.
pub(crate) struct Asker<'s> {
    source: Source,
    screen: &'s Screen,
    /// A descriptor or a variable answers once: a refused PIN is not sent again.
    used: bool,
    /// Shows what is to be signed also where nobody types.
    tells: Option<Tells>,
    /// Why no PIN could be given, where there is more to say than "declined".
    problem: Option<Error>,
}

impl<'s> Asker<'s> {
    pub(crate) fn new(args: &PinArgs, screen: &'s Screen) -> Result<Self> {
        let source = Source::of(args.pin_fd, args.pin_env.as_deref())?;
        Ok(Asker { source, screen, used: false, tells: None, problem: None })
    }

    /// Shows what is to be signed also where the PIN comes from elsewhere.
    pub(crate) fn telling(mut self, stream: Tells) -> Self {
        self.tells = Some(stream);
        self
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.source.is_terminal()
    }

    /// Runs `job` with this prompt. At a terminal a person may go on after a refused PIN, by an explicit word each time.
    pub(crate) fn run<T>(
        &mut self,
        consent: Consent,
        mut job: impl FnMut(&mut dyn PinPrompt, Consent) -> Result<T>,
    ) -> Result<T> {
        let (mut consent, mut entries) = (consent, ENTRIES);
        loop {
            let error = match job(self, consent) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if let Some(problem) = self.problem.take() {
                return Err(problem);
            }
            // What the token's PINs are like is known behind the answer: nothing was sent, so there is nothing to be sure of before another entry.
            if self.is_terminal()
                && entries > 1
                && matches!(error.kind(), ErrorKind::PinLength | ErrorKind::PinEncoding)
            {
                self.screen.error(&error);
                entries -= 1;
                continue;
            }
            let refused = matches!(error.kind(), ErrorKind::PinIncorrect | ErrorKind::TriesUnknown);
            if !self.is_terminal() || !refused || !entry::again(&error, self.screen) {
                return Err(error);
            }
            consent = consent.max(Consent::AfterRefusal);
        }
    }

    /// One answer, or why there is none.
    fn answer(&mut self, question: &PinQuestion<'_>) -> Result<PinEntry> {
        let octets = self
            .source
            .read(&prompt_text(question, self.screen.lang))
            .map_err(|e| self.source.failed(&e, "--pin-fd or --pin-env").role(question.role))?;
        question.pin(&octets).map(PinEntry::Typed)
    }
}

impl PinPrompt for Asker<'_> {
    fn ask(&mut self, question: &PinQuestion<'_>) -> Result<PinEntry, Declined> {
        tracing::trace!(role = %question.role, tries = %question.status, source = self.source.name(), "a PIN is asked for");
        if question.on_device {
            let lang = self.screen.lang;
            self.screen.note(prompt_text(question, lang));
            self.screen.note(lang.pick("Type it on the device.", "请在设备上输入。"));
            return Ok(PinEntry::OnDevice);
        }
        if self.used && !self.is_terminal() {
            return Err(Declined);
        }
        self.used = true;
        let text = to_sign(question, self.screen.lang);
        match self.tells.filter(|_| !self.is_terminal()) {
            Some(Tells::Stdout) => self.screen.line(text),
            Some(Tells::Stderr) => self.screen.note(text),
            None => {}
        }
        // Nothing has been sent yet: at a terminal an empty or impossible PIN is simply asked for again.
        for _ in 0..ENTRIES {
            match self.answer(question) {
                Ok(entry) => return Ok(entry),
                Err(e)
                    if self.is_terminal() && !matches!(e.kind(), ErrorKind::PinRequired | ErrorKind::PinDeclined) =>
                {
                    self.screen.error(&e)
                }
                Err(e) => {
                    self.problem = Some(e);
                    return Err(Declined);
                }
            }
        }
        Err(Declined)
    }
}

fn to_sign(question: &PinQuestion<'_>, lang: Lang) -> String {
    let what = quote(&question.summary.text);
    lang.pick(format!("To sign:{what}"), format!("待签名：{}", what.trim_start_matches(' ')))
}

/// Role, document and tries stand in front of every entry.
fn prompt_text(question: &PinQuestion<'_>, lang: Lang) -> String {
    let role = lang.role(question.role);
    let also: Vec<_> = question.also_opens.iter().map(|r| lang.role(*r)).collect();
    let left = words::tries(question.status, lang);
    let mut text = format!("{}\n", to_sign(question, lang));
    if !also.is_empty() {
        let also = also.join(", ");
        text.push_str(&lang.pick(
            format!("This PIN also opens: {also}; the tries count once for both.\n"),
            format!("此口令同时用于：{also}；两者共用尝试次数。\n"),
        ));
    }
    text.push_str(&lang.pick(
        format!("Tries left: {left}\nPIN of the {role} certificate: "),
        format!("剩余次数：{left}\n{role}证书口令："),
    ));
    text
}
