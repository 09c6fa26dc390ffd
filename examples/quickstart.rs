//! The shortest way from a shield to a signed customs message.
//!
//! ```text
//! SHIELD_PIN=... cargo run --example quickstart -- MODULE PROFILE IN.xml OUT.xml
//! ```

use std::path::Path;
use std::sync::Arc;

use shared_shield::{Content, Declined, PinEntry, PinQuestion, Profile, Request, Role, Scanner, Wait, write_whole};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, profile, input, output] = arguments.as_slice() else {
        return Err("usage: quickstart MODULE PROFILE IN.xml OUT.xml".into());
    };

    // 1. Find the shield. The driver is named by its absolute path; nothing is loaded that was not named.
    let profile = Arc::new(Profile::load(Path::new(profile))?);
    let scan = Scanner::new().module(module).profile(profile).scan(&Wait::default())?;
    let shield = scan.for_role(Role::Customs, &Default::default())?;

    // 2. Say how a person is asked for the PIN: here a variable; in a program a dialog that shows what the question holds.
    let mut prompt = |question: &PinQuestion<'_>| {
        let typed = std::env::var("SHIELD_PIN").map_err(|_| Declined)?;
        question.pin(typed.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
    };

    // 3. Sign. The role is in the request, so that the right certificate and the right PIN are used. The file appears whole,
    //    and only after the library has verified the signature; an error says what to do now.
    let request = Request::declaration(Content::file(input));
    let receipt = write_whole(Path::new(output), |out| shield.sign(request, &mut prompt, &Wait::default(), out))?;

    // 4. Keep the receipt: who signed what, when, with what.
    use std::io::Write;
    writeln!(std::io::stdout(), "{} certificate {}, {}", receipt.role, receipt.number, receipt.suite)?;
    for note in &receipt.notes {
        writeln!(std::io::stdout(), "note: {}", note.text())?;
    }
    Ok(())
}
