//! The simulator on a reader of the smart-card service, as vpcd has it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use shared_shield::simulator::{Fault, FaultKind, Simulator, vpcd};

use crate::pcscd::{self, Pcscd};
use crate::{child, shared_shield};

/// The reader's end.
struct Reader(TcpStream);

impl Reader {
    /// With this device in it, on a thread of its own.
    fn with(device: &Simulator) -> (Self, std::thread::JoinHandle<std::io::Result<()>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let stream = vpcd::insert(listener.local_addr().unwrap()).unwrap();
        let card = device.card();
        let thread = std::thread::spawn(move || vpcd::serve(&card, stream));
        (Reader(listener.accept().unwrap().0), thread)
    }

    /// As vpcd does: length and body apart.
    fn send(&mut self, body: &[u8]) {
        self.0.write_all(&u16::try_from(body.len()).unwrap().to_be_bytes()).unwrap();
        self.0.write_all(body).unwrap();
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).ok()?;
        let mut body = vec![0; u16::from_be_bytes(length).into()];
        self.0.read_exact(&mut body).ok()?;
        Some(body)
    }

    fn ask(&mut self, body: &[u8]) -> Vec<u8> {
        self.send(body);
        self.receive().unwrap()
    }
}

const RANDOM: [u8; 5] = [0x80, 0x50, 0, 0, 8];

#[test]
fn a_reader_gets_atr_and_answers_and_power_ends_what_is_open() {
    let device = shared_shield("syno-2015");
    let (mut reader, thread) = Reader::with(&device);
    reader.send(&[1]);
    assert_eq!(reader.ask(&[4]), device.atr());
    assert_eq!(reader.ask(&RANDOM).len(), 10);
    let open = [&[0x80, 0x26, 0, 0, 5][..], b"eport", &[10]].concat();
    let opened = reader.ask(&open);
    assert_eq!(opened.len(), 12);
    let info = [0x80, 0x14, 0, 1, 2, opened[8], opened[9], 3];
    assert_eq!(reader.ask(&info), [5, 5, 1, 0x90, 0]);
    for control in [0, 1, 2] {
        reader.ask(&open);
        reader.send(&[control]);
        assert_eq!(reader.ask(&info), [0x69, 0x8A]);
    }
    drop(reader);
    thread.join().unwrap().unwrap();
}

#[test]
fn commands_are_answered_without_the_wait_for_acknowledgements() {
    let device = shared_shield("syno-2015");
    let (mut reader, _thread) = Reader::with(&device);
    let start = Instant::now();
    for _ in 0..200 {
        assert_eq!(reader.ask(&RANDOM).len(), 10);
    }
    // Delayed acknowledgements would make 40 ms of each.
    assert!(start.elapsed().as_secs() < 4, "{:?}", start.elapsed());
}

#[test]
fn a_planned_fault_reaches_the_reader() {
    let device = shared_shield("syno-2015");
    let (mut reader, thread) = Reader::with(&device);
    device.plan(vec![Fault { at: 0, what: FaultKind::Reset }, Fault { at: 2, what: FaultKind::PullOut }]);
    assert_eq!(reader.ask(&RANDOM), [0x6F, 0x00]);
    assert_eq!(reader.ask(&RANDOM).len(), 10);
    reader.send(&RANDOM);
    assert_eq!(reader.receive(), None, "the card is out");
    thread.join().unwrap().unwrap();
    let (mut reader, thread) = Reader::with(&device);
    reader.send(&[9]);
    assert!(thread.join().unwrap().is_err(), "no message of the protocol");
}

#[test]
fn where_nobody_listens_there_is_no_reader() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    assert!(vpcd::insert((Ipv4Addr::LOCALHOST, port)).is_err());
}

/// The example, while it runs.
struct Plugged(Child);

impl Plugged {
    fn at(state: &std::path::Path, port: u16) -> Self {
        let deps = std::env::current_exe().unwrap();
        let program: PathBuf = deps.parent().and_then(std::path::Path::parent).unwrap().join("examples/virtual_shield");
        assert!(program.exists(), "{} is not there: build it with `cargo build --examples`", program.display());
        let mut command = Command::new(program);
        command.arg(state).arg(port.to_string()).stdin(Stdio::null()).stderr(Stdio::null());
        Plugged(command.spawn().unwrap())
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn any_program_over_pcsc_sees_the_virtual_shield() {
    if let Some(reason) = pcscd::missing() {
        return child::skip("any_program_over_pcsc_sees_the_virtual_shield", &reason);
    }
    let service = Pcscd::start(&["Shield"]);
    let state = service.dir().join("shield.toml");
    let device = shared_shield("syno-2015");
    device.save_as(&state).unwrap();
    drop(device);
    let reader = &service.readers()[0];
    let plugged = Plugged::at(&state, reader.port);
    service.wait_for_card(reader, true);
    assert!(Simulator::open(&state).is_err(), "the program has the state for itself");
    // GetDevInfo in its short form.
    let mut ask = service.tool("opensc-tool");
    ask.args(["--reader", &reader.name, "--card-driver", "default", "--send-apdu", "80:04:00:00:00"]);
    let output = ask.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("simulator") && text.contains("SW1=0x6A, SW2=0x9E"), "{text}");
    drop(plugged);
    service.wait_for_card(reader, false);
    drop(Simulator::open(&state).unwrap());
}
