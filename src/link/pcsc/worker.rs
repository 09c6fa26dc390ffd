//! The thread of one connection. It owns context and card; callers wait at the [`Desk`].

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use zeroize::{Zeroize, Zeroizing};

use super::api::{Broken, Card, Context, Held, Protocol, Service, Watched};
use super::capability;
use super::codes::{Code, Fate};
use super::desk::{Desk, EndMark, GoneMark, Grant, Job, Obstacle, Promise, Serving, Ticket, transaction};
use super::pace::{Pause, Turns};
use super::readers::Trying;
use super::refusal::{self, Live};
use crate::apdu::Limits;
use crate::error::{Error, ErrorKind, Result, Status};
use crate::link::{Atr, Continuity};
use crate::policy;
use crate::wait::Wait;

const CONNECT: &str = "SCardConnect";
const BEGIN: &str = "SCardBeginTransaction";
const TRANSMIT: &str = "SCardTransmit";

/// How long pcscd may take from one step of a reset to the next.
const RESET_STEP: Duration = Duration::from_millis(10);

/// The longest answer of a card: 65,536 octets of data and a status word (ISO/IEC 7816-4 §5.1).
const ANSWER: usize = 65_538;

/// What a caller gets of a connection.
pub(super) struct Opened {
    pub(super) desk: Arc<Desk>,
    pub(super) atr: Atr,
}

/// Connects and then serves transactions until the link is dropped or the card is gone. Runs on a thread of its own.
pub(super) fn run(service: &dyn Service, reader: String, wait: &Wait, promise: Promise<Opened>, trying: Trying) {
    let desk = Arc::<Desk>::default();
    // Dropped last, behind the line.
    let _gone = GoneMark(Arc::clone(&desk));
    let mut line = match Line::open(service, reader, wait, &promise.0) {
        Ok(line) => line,
        Err(error) => {
            promise.give(Err(error));
            return;
        }
    };
    drop(trying);
    let _mark = EndMark(Arc::clone(&desk));
    if !promise.give(Ok(Opened { desk: Arc::clone(&desk), atr: line.atr.clone() })) {
        return;
    }
    while desk.wait_for_work() {
        let served = line.serve(&desk);
        desk.set_asking(false);
        if let Err(code) = served {
            desk.die(code.error(BEGIN));
            return;
        }
    }
}

/// A connection. The card stands before its context, so that it is dropped before it.
struct Line {
    /// `None`: its transaction could not be ended, so it was given back and has to be opened anew.
    card: Option<Box<dyn Card>>,
    context: Live,
    reader: String,
    atr: Atr,
    /// Insertions and removals at the time of connecting; 0 where the service does not count them.
    events: u32,
    extended: Option<bool>,
    served: bool,
    /// The card was reset, or lost a command, since the last transaction.
    broken: bool,
    /// A reset was told, and may not be done yet.
    settle: bool,
    turns: Turns,
    answer: Zeroizing<Vec<u8>>,
}

impl Line {
    fn open(service: &dyn Service, reader: String, wait: &Wait, ticket: &Ticket<Opened>) -> Result<Line> {
        let mut context = refusal::open(service, CONNECT)?;
        let mut pause = Pause::FIRST;
        let card = loop {
            if ticket.obstacle().is_none() {
                ticket.hint(Obstacle::Connecting);
            }
            match context.connect(&reader) {
                Ok(card) => break card,
                // An exclusive holder goes away in the end; a card without power is switched on again by pcscd when nobody uses it for a while.
                Err(code)
                    if matches!(code.fate(), Fate::Busy | Fate::Repair)
                        && ticket.wanted()
                        && wait.check(CONNECT).is_ok() =>
                {
                    ticket.hint(Obstacle::Said(code));
                    pause.sleep();
                }
                Err(code) => return Err(code.at_connect(CONNECT).detail(reader)),
            }
        };
        let seen = look(&mut **context, &reader).map_err(|code| code.at_connect(CONNECT))?;
        Ok(Line {
            card: Some(card),
            context,
            reader,
            atr: Atr::new(&seen.atr),
            events: seen.now >> 16,
            extended: None,
            served: false,
            broken: false,
            settle: false,
            turns: Turns::default(),
            answer: Zeroizing::new(vec![0; ANSWER]),
        })
    }

    /// Serves one who waits, or finds that nobody does.
    ///
    /// # Errors
    /// What the connection died of.
    fn serve(&mut self, desk: &Desk) -> Result<(), Code> {
        let (mut repairs, mut pause) = (0_u32, Pause::FIRST);
        while desk.anyone() {
            desk.set_asking(true);
            let Err(code) = self.attempt(desk) else { return Ok(()) };
            match code.fate() {
                Fate::Dead => return Err(code),
                Fate::Busy => pause.sleep(),
                Fate::Once => {
                    desk.fail_waiting(&code.error(BEGIN));
                    return Ok(());
                }
                Fate::Repair if repairs >= policy::RECONNECTS => {
                    let error = Error::new(ErrorKind::Busy, BEGIN).status(Status::Pcsc(code.name()));
                    desk.fail_waiting(&error.detail("another program resets the card again and again"));
                    return Ok(());
                }
                Fate::Repair => {
                    repairs = repairs.saturating_add(1);
                    self.repair()?;
                }
            }
        }
        Ok(())
    }

    /// One transaction. `Ok`: it was served, or nobody wanted it any more.
    fn attempt(&mut self, desk: &Desk) -> Result<(), Code> {
        let mut card = match self.card.take() {
            Some(card) => card,
            None => self.reopen()?,
        };
        self.turns.give_way();
        let mut turn = Turn { line: self, desk, served: false, trouble: None, mark: None, since: None };
        let result = card.transaction(&mut |held| turn.run(held));
        // Dropped when this returns: the transaction has ended then.
        let (served, trouble, _mark, since) = (turn.served, turn.trouble, turn.mark, turn.since);
        self.turns.took(since);
        self.served |= served;
        self.broken = trouble.is_some() || (self.broken && !served);
        match result {
            Ok(()) => self.card = Some(card),
            Err(Broken::Begin(code)) => {
                self.card = Some(card);
                return Err(code);
            }
            // pcscd does not unlock when a reset is pending: only disconnecting frees the card for the others (SCardEndTransaction in winscard.c).
            Err(Broken::End(code)) => {
                drop(card);
                self.broken = true;
                if code.fate() == Fate::Dead {
                    return Err(code);
                }
            }
        }
        match trouble {
            Some(code) if !served || code.fate() == Fate::Dead => Err(code),
            _ => Ok(()),
        }
    }

    /// Acknowledges a reset by another program.
    fn repair(&mut self) -> Result<(), Code> {
        self.broken = true;
        let Some(card) = self.card.as_mut() else { return Ok(()) };
        // The neighbour may have switched the card off, which is told in the same way. Connecting switches it on. Reconnecting does not: it makes
        // pcscd believe that the card has power, and then nobody can connect any more. The second connection goes as soon as the first is repaired.
        let power = self.context.connect(&self.reader);
        if let Err(code) = power
            && code.fate() == Fate::Dead
        {
            return Err(code);
        }
        let repaired = card.reconnect();
        drop(power);
        self.settle = true;
        match repaired {
            Ok(()) => self.same_insertion(),
            Err(code) if code.fate() == Fate::Dead => Err(code),
            Err(_) => {
                self.card = None;
                Ok(())
            }
        }
    }

    /// Connects anew to the *same* insertion: a new connection would not be told that the card was out in between, so the count of events has to
    /// be the same. Where nobody counts, the insertion is given up.
    fn reopen(&mut self) -> Result<Box<dyn Card>, Code> {
        if self.events == 0 {
            return Err(Code::SCARD_W_REMOVED_CARD);
        }
        let card = self.context.connect(&self.reader)?;
        self.same_insertion()?;
        Ok(card)
    }

    /// To be asked after each (re)connecting. pcscd keeps one event for each connection, and reconnecting takes it as read: a reset by whoever used
    /// the next card hides that this one was pulled out.
    fn same_insertion(&mut self) -> Result<(), Code> {
        match look(&mut **self.context, &self.reader) {
            Ok(seen) if seen.now >> 16 == self.events => Ok(()),
            Err(code) if code.fate() == Fate::Dead => Err(code),
            _ => Err(Code::SCARD_W_REMOVED_CARD),
        }
    }
}

/// The state of one reader now.
fn look(context: &mut dyn Context, reader: &str) -> Result<Watched, Code> {
    let mut entry = [Watched::unaware(reader)];
    context.watch(&mut entry, Duration::ZERO)?;
    let [entry] = entry;
    Ok(entry)
}

/// What happens between begin and end.
struct Turn<'a> {
    line: &'a mut Line,
    desk: &'a Desk,
    served: bool,
    trouble: Option<Code>,
    /// Its drop tells the caller that the transaction is over.
    mark: Option<Sender<()>>,
    /// When the card was got.
    since: Option<Instant>,
}

impl Turn<'_> {
    fn run(&mut self, held: &mut dyn Held) {
        self.since = Some(Instant::now());
        self.desk.set_asking(false);
        // pcscd looks for resets before it locks: one that came in between shows here, before anybody was given the card.
        let protocol = match self.settle(held).and_then(|()| held.status()) {
            Ok(protocol) => protocol,
            Err(code) => {
                self.trouble = Some(code);
                return;
            }
        };
        let limits = Limits { extended: self.extended(held, protocol) };
        while let Some(ticket) = self.desk.next() {
            let (grant, serving) = transaction(self.continuity(), limits);
            self.desk.set_held(true);
            let unwanted = ticket.give(Ok(grant));
            // Whoever panics while he waits drops his ticket with the grant in it; this one must not keep it alive.
            drop(ticket);
            match unwanted {
                None => {
                    self.served = true;
                    self.serve(held, protocol, serving);
                    self.desk.set_held(false);
                    return;
                }
                // The caller gave up while it was handed over. The serving side goes first: dropping the grant waits for it.
                Some(unwanted) => {
                    drop(serving);
                    drop::<Result<Grant>>(unwanted);
                    self.desk.set_held(false);
                }
            }
        }
    }

    /// Waits for a reset that was told to be done. pcscd tells of it, then asks the reader whether the card is there, then resets it, then forgets
    /// the protocol; a transaction of somebody else keeps it from none of that, only from beginning another (SCardDisconnect in winscard.c).
    /// Each reconnect waits while it talks to the reader: the first for the question, the second for the reset.
    fn settle(&mut self, held: &mut dyn Held) -> Result<(), Code> {
        if !std::mem::take(&mut self.line.settle) {
            return Ok(());
        }
        for _ in 0..2 {
            std::thread::sleep(RESET_STEP);
            // What fails here fails again in the next call, where somebody hears of it.
            let _ = held.reconnect();
        }
        std::thread::sleep(RESET_STEP);
        self.line.same_insertion()
    }

    fn continuity(&self) -> Continuity {
        match (self.line.served, self.line.broken) {
            (false, _) => Continuity::First,
            (true, false) => Continuity::Unbroken,
            (true, true) => Continuity::Reset,
        }
    }

    fn extended(&mut self, held: &mut dyn Held, protocol: Protocol) -> bool {
        let atr = &self.line.atr;
        *self.line.extended.get_or_insert_with(|| {
            protocol == Protocol::T1
                && capability::card_takes_extended(atr.octets())
                && capability::reader_takes_extended(held.largest())
        })
    }

    fn serve(&mut self, held: &mut dyn Held, protocol: Protocol, serving: Serving) {
        // Whoever was told that nothing is left of what was has nothing to lose before his first command.
        let mut repairs = if self.continuity() == Continuity::Unbroken { 0 } else { policy::RECONNECTS };
        self.mark = Some(serving.mark);
        for job in serving.jobs {
            let Job { command, reply } = job;
            let answer = match self.trouble {
                // The card's state is not known any more: no further command reaches it in this transaction.
                Some(code) => Err(code.error(TRANSMIT)),
                None => self.transmit(held, protocol, &command, repairs),
            };
            repairs = 0;
            let _ = reply.send(answer);
        }
    }

    /// Whether the first command may be sent again. pcscd resets for a neighbour who disconnects without locking the card, so the reset may come
    /// after our begin; the service found out before it sent anything.
    fn again(&mut self, held: &mut dyn Held, code: Code, left: u32) -> Result<(), Code> {
        if code.fate() != Fate::Repair || left == 0 {
            return Err(code);
        }
        held.reconnect().map_err(|_| code)?;
        self.line.same_insertion()
    }

    fn transmit(&mut self, held: &mut dyn Held, protocol: Protocol, command: &[u8], repairs: u32) -> Result<Vec<u8>> {
        let adapted = match protocol {
            Protocol::T1 => None,
            Protocol::T0 => Some(capability::over_t0(command)?),
        };
        let sent = adapted.as_ref().map_or(command, |a| a.as_slice());
        let mut left = repairs;
        let length = loop {
            let code = match held.transmit(sent, self.line.answer.as_mut_slice()) {
                Ok(length) => break length,
                Err(code) => code,
            };
            if let Err(code) = self.again(held, code, left) {
                self.trouble = Some(code);
                return Err(code.error(TRANSMIT));
            }
            left = left.saturating_sub(1);
        };
        let what = || format!("an answer of {length} octets");
        let nonsense = || Error::new(ErrorKind::TokenAnswer, TRANSMIT).detail(what());
        let part = self.line.answer.get_mut(..length).ok_or_else(nonsense)?;
        let answer = part.to_vec();
        part.zeroize();
        match answer.len() {
            // A success without anything is what reader drivers say of a card that was pulled out in the middle of a command.
            0 => {
                self.trouble = Some(Code::SCARD_E_NOT_TRANSACTED);
                return Err(Error::new(ErrorKind::TokenFailed, TRANSMIT).detail(what()));
            }
            1 => return Err(nonsense()),
            _ => {}
        }
        Ok(answer)
    }
}
