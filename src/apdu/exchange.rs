//! One command and its whole answer: chains, GET RESPONSE, the right expected length, extended length. Every loop counts down.

use std::fmt;

use zeroize::Zeroizing;

use super::command::SHORT_MAX;
use super::{Command, Expect, Response, Sw, Transmit, Wire};
use crate::error::{Error, ErrorKind, Result};
use crate::policy;

/// Sends commands over a port.
pub struct Exchange<'t> {
    port: Box<dyn Transmit + 't>,
    /// The card refused an extended length although somebody said that it takes them.
    short_only: bool,
    /// The port failed: nobody knows what the card does.
    failed: bool,
}

impl<'t> Exchange<'t> {
    /// Speaks through `port`.
    pub fn new(port: impl Transmit + 't) -> Self {
        Exchange { port: Box::new(port), short_only: false, failed: false }
    }

    /// Sends one command and brings the whole answer, whatever its status word.
    ///
    /// # Errors
    /// Those of the port; `TokenAnswer` for an answer without end or without sense; `Argument` for a command that is too long.
    pub fn send(&mut self, command: &Command) -> Result<Response> {
        if command.length() > policy::COMMAND_MAX {
            return Err(Error::new(ErrorKind::Argument, command.name())
                .detail(format!("more than {} octets for a card", policy::COMMAND_MAX)));
        }
        let first = self.deliver(command)?;
        let first = self.with_right_length(command, first)?;
        self.collect(command, first)
    }

    /// Whether the port has failed: what follows would reach nobody, or another state of the card than was meant.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Sends one command and takes nothing but success.
    ///
    /// # Errors
    /// As [`Exchange::send`], and any other status word as [`Sw::error`] names it.
    pub fn run(&mut self, command: &Command) -> Result<Zeroizing<Vec<u8>>> {
        self.send(command)?.success(command.name())
    }

    /// The command in the form that card and reader carry. The extended form is tried where both say that they take it; a card that
    /// then speaks of a wrong length (6700: nothing was done) gets the short form, from then on at once.
    fn deliver(&mut self, command: &Command) -> Result<Response> {
        if command.prefers_extended() && !self.short_only && self.port.limits().extended {
            let answer = self.transmit(&command.extended()?, command.name())?;
            // A secret, or what is too long for the short form, does not go again.
            let again = command.may_repeat() && !(command.is_wide() && command.length() > SHORT_MAX);
            if answer.sw() != Sw::WrongLength || !again {
                return Ok(answer);
            }
            tracing::debug!(command = command.name(), "the card does not take extended lengths although it says so");
            self.short_only = true;
        }
        self.deliver_short(command, command.expects())
    }

    /// One short command, or a chain (§5.1.1.1): whatever is not success ends the chain and is its answer.
    fn deliver_short(&mut self, command: &Command, expect: Expect) -> Result<Response> {
        if command.is_wide() && command.length() > SHORT_MAX {
            return Err(Error::new(ErrorKind::Unsupported, command.name())
                .detail("card and reader carry no extended length, which so much data needs"));
        }
        let parts = command.short(expect);
        let (last, before) =
            parts.split_last().ok_or_else(|| Error::new(ErrorKind::Defect, command.name()).detail("no command"))?;
        for part in before {
            let answer = self.transmit(part, command.name())?;
            if answer.sw() != Sw::Success {
                return Ok(answer);
            }
        }
        self.transmit(last, command.name())
    }

    /// 6Cxx (§5.6): nothing was done; the command goes once more with the length that the card wants. A command with a secret in it,
    /// a chain, and one that wants no data do not go again.
    fn with_right_length(&mut self, command: &Command, answer: Response) -> Result<Response> {
        let Sw::WrongLe(length) = answer.sw() else { return Ok(answer) };
        if command.expects() == Expect::Nothing || !command.may_repeat() || command.length() > SHORT_MAX {
            return Ok(answer);
        }
        self.deliver_short(command, exactly(length))
    }

    /// GET RESPONSE (§7.6.1), or the command once more where its standard has that, until there is no more: bounded in rounds and octets, and
    /// each round has to bring something.
    fn collect(&mut self, command: &Command, first: Response) -> Result<Response> {
        let endless = |what: &str| Error::new(ErrorKind::TokenAnswer, command.name()).detail(what.to_owned());
        let (mut answer, mut rounds) = (first, 0_usize);
        while is_partial(command, answer.sw()) {
            rounds = rounds.saturating_add(1);
            if rounds > policy::ANSWER_ROUNDS {
                return Err(endless("an answer in too many parts"));
            }
            let part = self.next_part(command, answer.sw())?;
            if part.data().is_empty() && is_partial(command, part.sw()) {
                return Err(endless("more data was promised and none came"));
            }
            let total = answer.data().len().saturating_add(part.data().len());
            if total > policy::ANSWER_MAX {
                return Err(endless("an answer that is too long"));
            }
            // A new buffer each time: what a growing one leaves behind is not wiped.
            let mut joined = Zeroizing::new(Vec::with_capacity(total));
            joined.extend_from_slice(answer.data());
            joined.extend_from_slice(part.data());
            answer = Response::new(joined, part.sw());
        }
        Ok(answer)
    }

    fn next_part(&mut self, command: &Command, sw: Sw) -> Result<Response> {
        let Sw::MoreData(length) = sw else { return self.deliver(command) };
        let get = command.get_response(length);
        let part = self.deliver_short(&get, get.expects())?;
        self.with_right_length(&get, part)
    }

    fn transmit(&mut self, wire: &Wire, name: &'static str) -> Result<Response> {
        let octets = self.port.transmit(wire).inspect_err(|_| self.failed = true)?;
        Response::read(octets, name)
    }
}

/// Whether more of the answer waits.
fn is_partial(command: &Command, sw: Sw) -> bool {
    matches!(sw, Sw::MoreData(_)) || command.is_repeated_on(sw)
}

/// SW2 of 6Cxx: 00 is 256.
fn exactly(length: u8) -> Expect {
    Expect::Exactly(if length == 0 { 256 } else { u16::from(length) })
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("short_only", &self.short_only).finish_non_exhaustive()
    }
}
