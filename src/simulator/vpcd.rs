//! A card on a vpcd reader: the smart-card service takes it for one that was inserted, and so does every program that uses the service.
//!
//! vpcd's protocol: the card is a TCP client of the reader. Frames are a length of two octets, the higher first, and a body; a body of one octet is a
//! control message, any other a command, which one frame answers.
//!
//! Such a reader does not say that it carries extended length, so careful programs send short commands: of the dialects `syno-2015` takes them as it is,
//! the others with the habit [`Habits::short_only`](super::Habits::short_only).

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use crate::link::card::{Accident, SharedCard};
use crate::wait::lock;

/// Power off, power on, reset, and the question for the ATR. The last alone is answered.
const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const ATR: u8 = 4;

/// Connects to a reader: the card is in it from now on, and out when the stream is closed.
///
/// # Errors
/// Those of TCP. `ConnectionRefused` also where nobody listens and TCP connected the port to itself.
pub fn insert(reader: impl ToSocketAddrs) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(reader)?;
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Answers for the card until the reader goes away, or the card is pulled out by its plan of faults.
///
/// A card cannot tell a reader that somebody reset it: it answers 6F00, and nobody is logged in any more. An answer that is lost ends the
/// connection.
///
/// # Errors
/// Those of TCP, and `InvalidData` for what is no message of the protocol.
pub fn serve(card: &SharedCard, mut stream: TcpStream) -> io::Result<()> {
    loop {
        let message = match receive(&mut stream) {
            Ok(message) => message,
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(e),
        };
        match *message.as_slice() {
            [POWER_OFF | POWER_ON | RESET] => lock(card).reset(),
            [ATR] => {
                let atr = lock(card).atr();
                send(&mut stream, &atr)?;
            }
            [] | [_] => return Err(io::ErrorKind::InvalidData.into()),
            _ => {
                let (answer, accident) = {
                    let mut card = lock(card);
                    (card.command(&message), card.accident())
                };
                match accident {
                    None => send(&mut stream, &answer)?,
                    Some(Accident::Reset) => send(&mut stream, &[0x6F, 0x00])?,
                    Some(Accident::PulledOut | Accident::Lost) => return Ok(()),
                }
            }
        }
    }
}

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    read(stream, &mut length)?;
    let mut body = vec![0; u16::from_be_bytes(length).into()];
    read(stream, &mut body)?;
    Ok(body)
}

/// vpcd sends length and body apart and lets the system wait for the acknowledgement in between: 40 ms for each command, unless this end acknowledges
/// at once. The option does not last, so it is set before each read.
fn read(stream: &mut TcpStream, mut octets: &mut [u8]) -> io::Result<()> {
    while !octets.is_empty() {
        #[cfg(target_os = "linux")]
        rustix::net::sockopt::set_tcp_quickack(&*stream, true)?;
        match stream.read(octets)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => octets = octets.get_mut(n..).unwrap_or_default(),
        }
    }
    Ok(())
}

fn send(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let length = u16::try_from(body.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    stream.write_all(&[&length.to_be_bytes()[..], body].concat())
}
