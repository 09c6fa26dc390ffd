//! One document, one PIN entry, one signature, one file: what the commands that sign a single document have in common.

use std::path::Path;

use shared_shield::{Error, ErrorKind, Receipt, Request, Result, Role, Shield};

use crate::args::{Global, Signing};
use crate::dialect;
use crate::done;
use crate::exit::Exit;
use crate::pin::Asker;
use crate::reach;
use crate::screen::{Screen, clean};
use crate::spared;
use crate::words;

pub(crate) struct Single<'r> {
    pub(crate) global: &'r Global,
    pub(crate) signing: &'r Signing,
    pub(crate) screen: &'r Screen,
}

impl Single<'_> {
    /// The shield that `request` means, and the request with what the command line says of it. No PIN is asked for.
    pub(crate) fn reach(&self, request: Request) -> Result<(Shield, Request)> {
        let outside = self.signing.even_outside_validity;
        let shield = reach::shield(self.global, request.role(), &self.signing.choice, outside)?;
        let request = request.of(self.signing.choice.selector());
        let request = if self.signing.even_outside_validity { request.even_outside_validity() } else { request };
        Ok((shield, request))
    }

    /// Asks for the PIN, signs, and writes the file whole or not at all.
    pub(crate) fn sign(
        &self,
        shield: &Shield,
        request: &Request,
        asker: &mut Asker<'_>,
        out: &Path,
    ) -> Result<Receipt> {
        self.tried(shield, request.role(), || {
            asker.run(self.signing.consent(), |prompt, consent| {
                let request = request.clone().consent(consent);
                done::write(out, self.signing.overwrite, |out| shield.sign(request, prompt, &self.global.wait(), out))
            })
        })
    }

    /// As [`dialect::tried`].
    pub(crate) fn tried<T>(&self, shield: &Shield, role: Role, job: impl FnOnce() -> Result<T>) -> Result<T> {
        dialect::tried((self.global, self.screen), shield, (role, &self.signing.choice.selector()), job)
    }

    /// Says who signed with what.
    pub(crate) fn done(&self, out: &Path, receipt: &Receipt) -> Exit {
        let lang = self.screen.lang;
        let (out, facts) = (clean(&out.display().to_string()), words::receipt(receipt, lang));
        self.screen.line(lang.pick(format!("signed {out}: {facts}"), format!("已签名 {out}：{facts}")));
        Exit::Done
    }
}

/// The text that the format itself would show, in the person's language as far as it goes. The document is looked at here: a bad one is
/// refused before anybody is asked.
pub(crate) fn in_words(shield: &Shield, request: Request, screen: &Screen, zh: &str) -> Result<Request> {
    let text = shield.prepare(request.clone())?.summary().text.clone();
    Ok(screen.lang.pick(request.clone(), request.shown(format!("{zh}：{text}"))))
}

/// Nothing that exists is replaced without a word, and never the document itself, the text that is shown, or what the program works with.
pub(crate) fn check_output(global: &Global, read: &[&Path], out: &Path, overwrite: bool) -> Result<()> {
    spared::check(global, read, [out])?;
    if out.symlink_metadata().is_ok() && !overwrite {
        let there = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        let detail = format!("{}: it exists: --overwrite replaces it", out.display());
        return Err(Error::new(ErrorKind::OutputFailed, "plan output").io(&there).detail(detail));
    }
    done::sweep(&[out]);
    Ok(())
}
