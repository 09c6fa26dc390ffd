//! vpcd's protocol: the card is a TCP client of the reader. Frames are a length of two octets (big endian) and a body; a body of
//! one octet is a control message, any other a command APDU, answered by one frame.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

/// What the reader wants.
pub(crate) enum Message {
    PowerOff,
    PowerOn,
    Reset,
    Atr,
    Command(Vec<u8>),
}

/// The card's end of the connection.
pub(crate) struct Link(TcpStream);

impl Link {
    /// Inserts the card, and gives a second handle with which the connection can be ended from elsewhere.
    pub(crate) fn open(port: u16) -> io::Result<(Self, TcpStream)> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        // Where nobody listens, TCP can connect a port to itself: such a card would talk to nobody but itself.
        if stream.local_addr()? == stream.peer_addr()? {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        stream.set_nodelay(true)?;
        let handle = stream.try_clone()?;
        Ok((Link(stream), handle))
    }

    pub(crate) fn receive(&mut self) -> io::Result<Message> {
        let mut length = [0; 2];
        self.read(&mut length)?;
        let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
        self.read(&mut body)?;
        match *body {
            [0] => Ok(Message::PowerOff),
            [1] => Ok(Message::PowerOn),
            [2] => Ok(Message::Reset),
            [4] => Ok(Message::Atr),
            [] | [_] => Err(io::Error::other("the reader sent what is no message")),
            _ => Ok(Message::Command(body)),
        }
    }

    /// vpcd sends length and body apart and lets the kernel wait for the acknowledgement in between: 40 ms for each APDU,
    /// unless this end acknowledges at once. The option does not last, so it is set before each read.
    fn read(&mut self, octets: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < octets.len() {
            rustix::net::sockopt::set_tcp_quickack(&self.0, true)?;
            match self.0.read(&mut octets[filled..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => filled += n,
            }
        }
        Ok(())
    }

    pub(crate) fn send(&mut self, body: &[u8]) -> io::Result<()> {
        let length = u16::try_from(body.len()).map_err(io::Error::other)?;
        self.0.write_all(&[&length.to_be_bytes()[..], body].concat())
    }
}
