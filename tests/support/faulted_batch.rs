//! A batch as a story of `faulted.rs`.

use shared_shield::{Content, Declined, Error, ErrorKind, PinEntry, PinQuestion, Request, Role, Unlock, Wait};

use super::{Run, bench};

impl Run {
    /// Five documents of customs. After the third the lease is given back, as after sixteen: a call that has no time left does that.
    pub fn batch_of_five(&self, pin: &str) -> Result<(), Error> {
        let mut prompt = |question: &PinQuestion<'_>| {
            self.enters();
            question.pin(pin.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
        };
        let session = self.shield.unlock(Unlock::of(Role::Customs), &mut prompt, &self.wait())?;
        let mut first = Ok(());
        let sign = |text: &str, wait: &Wait| {
            let mut out = Vec::new();
            let request = Request::raw(Role::Customs, Content::bytes(text.as_bytes().to_vec()));
            let signed = session.sign(request, wait, &mut out).map(drop);
            assert_eq!(out.is_empty(), signed.is_err());
            let certificate = bench::certificate(self.kind, Role::Customs);
            assert!(signed.is_err() || bench::verifies(certificate, text, &out), "a wrong signature was handed out");
            signed
        };
        for n in 0..5 {
            if n == 3 {
                let late = sign("late", &Wait::at_most(std::time::Duration::ZERO)).unwrap_err();
                assert!(matches!(late.kind(), ErrorKind::Busy | ErrorKind::Timeout), "{late}");
            }
            let text = format!("document {n}");
            let Err(error) = sign(&text, &self.wait()) else { continue };
            // What was refused is given once more: the batch goes on, or says that it has ended.
            self.put_in();
            match sign(&text, &Wait::default()) {
                Ok(()) => {}
                Err(again) if again.kind() == ErrorKind::SessionEnded => return Err(error),
                Err(again) => panic!("the batch does not go on after {error}: {again}"),
            }
            first = first.and(Err(error));
        }
        first
    }
}
