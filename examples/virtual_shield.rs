//! A shield in software as a card on a vpcd reader: the smart-card service and every program that uses it take it for one that was plugged in.
//!
//! ```text
//! cargo run --features simulator --example virtual_shield -- STATE-FILE [PORT]
//! ```
//!
//! The port is the reader's, 35963 unless told otherwise. It is plugged in until this program is stopped.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use shared_shield::simulator::{Simulator, vpcd};

/// Where vpcd's first reader listens.
const PORT: u16 = 35_963;

#[allow(clippy::print_stderr)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (state, port) = match arguments.as_slice() {
        [state] => (state, PORT),
        [state, port] => (state, port.parse()?),
        _ => return Err("usage: virtual_shield STATE-FILE [PORT]".into()),
    };
    let shield = Simulator::open(Path::new(state))?;
    loop {
        match vpcd::insert((Ipv4Addr::LOCALHOST, port)) {
            Ok(stream) => {
                eprintln!("plugged in at port {port}");
                match vpcd::serve(&shield.card(), stream) {
                    Ok(()) => eprintln!("out"),
                    Err(e) => eprintln!("out: {e}"),
                }
            }
            // The service is not there, or it is being started again.
            Err(e) if e.kind() == ErrorKind::ConnectionRefused => {}
            Err(e) => return Err(e.into()),
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}
