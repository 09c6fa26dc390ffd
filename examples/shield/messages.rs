//! What `sign-declaration` and `sign-batch` have in common: what is asked of the shield, which outputs count as done, and how the program ends.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use shared_shield::format::ceb;
use shared_shield::{Certificate, Consent, Content, Profile, Request, Result, Role, Unlock};

use crate::args::Signing;
use crate::args_ceb::MessageArgs;
use crate::done::{self, Output};
use crate::exit::Exit;
use crate::screen::{Lang, clean};

/// What the command line says of every message of a run.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) message: &'a MessageArgs,
    pub(crate) signing: &'a Signing,
}

impl Terms<'_> {
    pub(crate) fn request(self, file: &Path, document: Content) -> Request {
        let request = Request::declaration_as(document, self.message.options())
            .of(self.signing.choice.selector())
            .shown(clean(&file.display().to_string()));
        if self.signing.even_outside_validity { request.even_outside_validity() } else { request }
    }

    /// One PIN entry for all of them.
    pub(crate) fn unlock(self, text: String, consent: Consent) -> Unlock {
        let unlock = Unlock::of(Role::Customs).certificate(self.signing.choice.selector()).shown(text).consent(consent);
        if self.signing.even_outside_validity { unlock.even_outside_validity() } else { unlock }
    }

    /// What stands where the output of a message shall go.
    pub(crate) fn present(
        self,
        output: &Path,
        document: &[u8],
        by: &Certificate,
        profile: &Arc<Profile>,
    ) -> Result<Output> {
        // What a replaced signature leaves is what the output has to be of.
        let without = if self.message.replace_signature { ceb::without_signature(document)? } else { None };
        // A document that was signed while the certificate was valid stays done when the caller looks beyond validity.
        let at = if self.signing.even_outside_validity { by.not_before() } else { SystemTime::now() };
        Ok(done::judge(output, without.as_deref().unwrap_or(document), by, (profile, at), self.message.identifiers))
    }
}

/// How many messages came to what.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) signed: usize,
    pub(crate) before: usize,
    pub(crate) refused: usize,
    pub(crate) not_tried: usize,
}

impl Tally {
    /// Some done and some not is a code of its own; where nothing was done the first reason is the code.
    pub(crate) fn exit(self, first: Option<Exit>) -> Exit {
        match first {
            None => Exit::Done,
            Some(_) if self.signed + self.before > 0 => Exit::Some,
            Some(first) => first,
        }
    }

    pub(crate) fn text(self, lang: Lang) -> String {
        let Tally { signed, before, refused, not_tried } = self;
        lang.pick(
            format!("{signed} signed, {before} done before, {refused} refused, {not_tried} not tried"),
            format!("已签名 {signed}，先前已完成 {before}，被拒绝 {refused}，未处理 {not_tried}"),
        )
    }
}
