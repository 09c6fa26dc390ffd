//! A card in a reader as a door.
//!
//! A door remembers who its card is and where it was last. A lease connects where no connection is alive, begins a transaction, and has
//! the card's driver attach to it. When the card was pulled out and is back, in this reader or another, the door finds it again by its
//! serial number; whoever leases it then checks the certificate before a PIN is sent.

mod look;
mod usage;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::door::{Door, DoorId, DoorInfo, Lease, Way};
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::link::Continuity;
use crate::link::Link;
use crate::link::Presence;
use crate::link::Readers;
use crate::link::Transaction;
use crate::policy;
use crate::token::{CardId, CardRules, Driver, Insertion, Token, Tries};
use crate::wait::{Signal, Wait, lock};

use self::usage::{Port, Usage, User, Waiting};

pub use self::look::{CardReport, Tried};
pub(crate) use self::look::{Look, look_at, read};

/// How often a service that has gone away is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// One application of one card.
struct CardDoor {
    id: DoorId,
    info: DoorInfo,
    card: Arc<Card>,
}

/// What a lease's thread needs of a card.
struct Card {
    readers: Arc<dyn Readers>,
    driver: &'static dyn Driver,
    id: CardId,
    wanted: Vec<String>,
    rules: Arc<CardRules>,
    tries: Tries,
    place: Mutex<Place>,
}

/// Where a card is now, as far as known.
struct Place {
    reader: String,
    live: Option<Live>,
    usage: Usage,
}

/// A connection that was good when it was last used, with what is known of this insertion.
#[derive(Clone)]
struct Live {
    link: Arc<dyn Link>,
    insertion: Arc<Insertion>,
}

/// A connection with the transaction in which the card was found.
type Held = (Live, Box<dyn Transaction>);

impl Card {
    /// The token of a lease.
    fn open(self: &Arc<Self>, wait: &Wait) -> Result<Box<dyn Token>> {
        let _user = User::of(self);
        let since = Instant::now();
        let mut service_went = false;
        for _ in 0..=policy::RECONNECTS {
            let error = match self.attempt(wait) {
                Ok(token) => return Ok(token),
                Err(error) => error,
            };
            self.forget_connection();
            match error.kind() {
                // A reset or a stopped service makes a connection useless, not the card.
                ErrorKind::TokenFailed => {}
                ErrorKind::ServiceStopped => {
                    service_went = true;
                    self.service_returns(since, wait, error)?;
                }
                // After a restart the service needs a moment to see its readers and their cards.
                ErrorKind::CardRemoved | ErrorKind::NoReader if service_went => self.pause(since, wait, error)?,
                _ => return Err(error),
            }
        }
        self.attempt(wait)
    }

    fn attempt(self: &Arc<Self>, wait: &Wait) -> Result<Box<dyn Token>> {
        let live = lock(&self.place).live.clone();
        if let Some(live) = live {
            let _waiting = Waiting::of(self);
            match live.link.begin(wait) {
                Ok(transaction) => {
                    if transaction.continuity() == Continuity::Reset {
                        live.insertion.was_reset();
                    }
                    return self.driver.attach(self.port(transaction), false, &live.insertion);
                }
                Err(error) if error.kind() == ErrorKind::CardRemoved => {
                    self.tries.lost_power();
                    self.forget_connection();
                }
                Err(error) => return Err(error),
            }
        }
        let (live, transaction) = {
            let _waiting = Waiting::of(self);
            self.find(wait)?
        };
        self.keep(live.clone());
        self.driver.attach(self.port(transaction), true, &live.insertion)
    }

    fn port(self: &Arc<Self>, transaction: Box<dyn Transaction>) -> Box<Port> {
        Box::new(Port { transaction, _user: User::of(self) })
    }

    /// Looks for the card: in its last reader first, then in the others. The transaction has the application selected.
    fn find(&self, wait: &Wait) -> Result<Held> {
        let mut readers: Vec<String> =
            self.readers.list(wait)?.into_iter().filter(|r| r.presence != Presence::Empty).map(|r| r.reader).collect();
        let last = lock(&self.place).reader.clone();
        readers.sort_by_key(|r| *r != last);
        let mut failed = None;
        let mut others = Vec::new();
        for reader in readers {
            match self.is_in(&reader, wait) {
                Ok(Ok(found)) => {
                    lock(&self.place).reader = reader;
                    return Ok(found);
                }
                Ok(Err(other)) => others.push(other),
                Err(error) if failed.is_none() || reader == last => failed = Some(error),
                Err(_) => {}
            }
        }
        Err(failed.unwrap_or_else(|| self.gone(&others)))
    }

    /// Whether the card in a reader is this one; otherwise who it is.
    fn is_in(&self, reader: &str, wait: &Wait) -> Result<Result<Held, String>> {
        let link = self.readers.connect(reader, wait)?;
        let mut transaction = link.begin(wait)?;
        let Some(greeting) = self.driver.probe(&mut *transaction)? else {
            return Ok(Err(format!("a card that is no {}", self.driver.name())));
        };
        let id = self.driver.identify(&mut *transaction, &link.atr(), &greeting)?;
        if id.serial != self.id.serial {
            return Ok(Err(id.serial));
        }
        let insertion = Insertion::new(link.atr(), self.wanted.clone()).with_tries(&self.tries);
        let insertion = Arc::new(insertion.greeted(greeting).under(&self.rules));
        Ok(Ok((Live { link, insertion }, transaction)))
    }

    fn gone(&self, others: &[String]) -> Error {
        let error = Error::new(ErrorKind::CardRemoved, "open card");
        match others {
            [] => error,
            others => error.detail(format!("{} is not there, found {}", self.id.serial, others.join(", "))),
        }
    }

    fn forget_connection(&self) {
        let live = lock(&self.place).live.take();
        // Outside the lock: to disconnect takes a moment.
        drop(live);
    }

    /// Waits until the service answers again, for a bounded time.
    fn service_returns(&self, since: Instant, wait: &Wait, error: Error) -> Result<()> {
        loop {
            self.pause(since, wait, error.clone())?;
            match self.readers.list(wait) {
                Err(again) if again.kind() == ErrorKind::ServiceStopped => {}
                other => return other.map(drop),
            }
        }
    }

    /// A moment's pause; the error once the time for that is over.
    fn pause(&self, since: Instant, wait: &Wait, error: Error) -> Result<()> {
        if since.elapsed() >= policy::SERVICE_RETURN || wait.check("open card").is_err() {
            return Err(error);
        }
        let moment = wait.resumed(ASK_AGAIN.min(wait.remaining()));
        Arc::<Signal>::default().wait_for(&moment, || None::<()>);
        Ok(())
    }
}

impl Door for CardDoor {
    fn id(&self) -> &DoorId {
        &self.id
    }

    fn info(&self) -> &DoorInfo {
        &self.info
    }

    fn way(&self) -> Way {
        Way::Card
    }

    fn owes_login(&self) -> bool {
        let live = lock(&self.card.place).live.clone();
        // What was left on purpose is known of an insertion: without one nothing was.
        live.map_or_else(|| self.card.tries.owes_login(), |live| live.insertion.owes_login())
    }

    fn has_unended_login(&self) -> bool {
        self.card.tries.has_unended_login()
    }

    fn forget(&self) {
        if let Some(live) = &lock(&self.card.place).live {
            live.insertion.forget();
        }
    }

    fn hold(&self) -> Option<Box<dyn Send + Sync>> {
        Some(Box::new(User::of(&self.card)))
    }

    fn is_wanted(&self) -> bool {
        lock(&self.card.place).usage.is_wanted()
    }

    fn call_when_wanted(&self, call: &Arc<dyn Fn() + Send + Sync>) {
        lock(&self.card.place).usage.call_when_wanted(call);
    }

    fn lease(&self, wait: &Wait) -> Result<Lease> {
        let (card, bound) = (Arc::clone(&self.card), wait.clone());
        // The thread's own answer at the deadline says who is in the way; it comes a moment before this wait ends.
        let patient = wait.resumed(wait.remaining().saturating_add(policy::GRACE));
        wait.check("open card")?;
        Lease::open("open card", &patient, move || card.open(&bound))
    }
}
