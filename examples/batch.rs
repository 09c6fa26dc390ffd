//! Many documents, many threads, one PIN entry.
//!
//! ```text
//! SHIELD_PIN=... cargo run --example batch -- MODULE PROFILE OUT-DIR IN.xml...
//! ```

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use shared_shield::{
    Content, Declined, Error, PinEntry, PinQuestion, Profile, Receipt, Request, Role, Scanner, Session, Unlock, Wait,
    write_whole,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, profile, folder, files @ ..] = arguments.as_slice() else {
        return Err("usage: batch MODULE PROFILE OUT-DIR IN.xml...".into());
    };
    let scan =
        Scanner::new().module(module).profile(Arc::new(Profile::load(Path::new(profile))?)).scan(&Wait::default())?;
    let shield = scan.for_role(Role::Customs, &Default::default())?;
    let mut prompt = |question: &PinQuestion<'_>| {
        let typed = std::env::var("SHIELD_PIN").map_err(|_| Declined)?;
        question.pin(typed.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
    };

    // One entry opens a session: bounded in signatures and time, for the customs role alone. A wrong PIN shows here.
    let unlock = Unlock::of(Role::Customs).shown(format!("{} customs messages", files.len()));
    let session = shield.unlock(unlock, &mut prompt, &Wait::default())?;

    // Any number of threads sign in it. A bad document is its own error and stops nobody else.
    let signed: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = files
            .chunks(files.len().div_ceil(4).max(1))
            .map(|part| scope.spawn(|| part.iter().map(|f| (f, sign(&session, f, folder))).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|w| w.join().unwrap_or_default()).collect()
    });
    session.end(); // the login is over and the PIN wiped; dropping it does the same

    for (file, result) in signed {
        let line = result.map_or_else(|e| format!("refused, {e}"), |r| format!("signed with {}", r.number));
        writeln!(std::io::stdout(), "{file}: {line}")?;
    }
    Ok(())
}

fn sign(session: &Session, file: &str, folder: &str) -> Result<Receipt, Error> {
    let name = Path::new(file).file_name().unwrap_or_default();
    let request = Request::declaration(Content::file(file));
    write_whole(&Path::new(folder).join(name), |out| session.sign(request, &Wait::default(), out))
}
