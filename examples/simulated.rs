//! Signs on a shield in software, in this process: for programs that are written before there is a shield.
//!
//! ```text
//! cargo run --features simulator --example shield -- --simulator desk.shield make-test-shield --dir desk
//! SHIELD_PIN=12345678 cargo run --features simulator --example simulated -- desk.shield desk/profile.toml IN.xml OUT.xml
//! ```

use std::path::Path;
use std::sync::Arc;

use shared_shield::simulator::Simulator;
use shared_shield::{
    Content, Declined, Note, PinEntry, PinQuestion, Profile, Request, Role, Scanner, Wait, write_whole,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [state, profile, input, output] = arguments.as_slice() else {
        return Err("usage: simulated STATE PROFILE IN.xml OUT.xml".into());
    };

    // 1. The device is opened by name, and its readers take the place of the computer's. Everything after this line is the program that a
    //    real shield gets: `link::pcsc::system()` in place of `simulator.readers()`.
    let simulator = Simulator::open(Path::new(state))?;
    let profile = Arc::new(Profile::load(Path::new(profile))?);
    let scan = Scanner::new().readers(simulator.readers()).profile(profile).scan(&Wait::default())?;
    let shield = scan.for_role(Role::Customs, &Default::default())?;

    // 2. Each application of the device has a PIN of its own; the question says whose is asked for and how many tries are left.
    let mut prompt = |question: &PinQuestion<'_>| {
        let typed = std::env::var("SHIELD_PIN").map_err(|_| Declined)?;
        question.pin(typed.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
    };
    let request = Request::declaration(Content::file(input));
    let receipt = write_whole(Path::new(output), |out| shield.sign(request, &mut prompt, &Wait::default(), out))?;

    // 3. The receipt says what made the signature: nobody takes this one for a real one.
    assert!(receipt.notes.contains(&Note::Simulator));
    use std::io::Write;
    writeln!(std::io::stdout(), "{} certificate {}, {}", receipt.role, receipt.number, receipt.suite)?;
    for note in &receipt.notes {
        writeln!(std::io::stdout(), "note: {}", note.text())?;
    }
    Ok(())
}
