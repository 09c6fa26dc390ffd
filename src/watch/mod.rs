//! Arrival, removal and return of shields.

mod desk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::desk::{Change, Desk};
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::link::{ReaderState, Readers};
use crate::scan::{Scan, Scanner};
use crate::shield::Shield;
use crate::wait::{Cancel, Signal, Wait, lock};

const OPERATION: &str = "watch";
/// How often a service that is not running is asked again: nothing tells when it starts.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// How long a card that has come is looked at, at the most.
const LOOK: Duration = Duration::from_secs(10);

/// What happened on the desk.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A shield was plugged in, or was there when the watch began.
    Arrived(Shield),
    /// A shield that this watch has seen before is back, in whatever reader.
    Returned(Shield),
    /// A shield was pulled out.
    Removed {
        /// Its serial number.
        serial: String,
    },
    /// A card was plugged in that cannot be used, and why.
    Refused {
        /// The reader.
        reader: String,
        /// Why.
        error: Error,
    },
    /// A card was pulled out that could not be used.
    RefusedRemoved {
        /// The reader.
        reader: String,
    },
    /// A reader was connected.
    ReaderAdded(String),
    /// A reader was disconnected.
    ReaderRemoved(String),
    /// The smart-card service has stopped, or does not run.
    ServiceStopped,
    /// The smart-card service runs again.
    ServiceStarted,
}

/// Watches the readers of one service. Each card is looked at once for an insertion; watching itself reads the readers' state and sends
/// nothing to any card.
///
/// ```no_run
/// # #[cfg(feature = "pcsc")]
/// # fn main() -> shared_shield::Result<()> {
/// use shared_shield::{Event, Scanner, Wait, link};
/// use std::time::Duration;
/// let mut watch = Scanner::new().readers(link::pcsc::system()).watch()?;
/// let wait = Wait::at_most(Duration::from_secs(3600));
/// while let Some(event) = watch.next(&wait)? {
///     if let Event::Arrived(shield) | Event::Returned(shield) = event {
///         println!("{}", shield.serial());
///     }
/// }
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "pcsc"))]
/// # fn main() {}
/// ```
pub struct Watch {
    scanner: Scanner,
    readers: Arc<dyn Readers>,
    desk: Desk,
    occupants: BTreeMap<String, Occupant>,
    seen: BTreeSet<String>,
    events: VecDeque<Event>,
    /// What is still to be told, behind the card that is being looked at.
    changes: VecDeque<Change>,
    looking: Option<Looking>,
    service: Service,
}

/// A card that has come is being looked at, on a thread of its own: that may take longer than one wait of the caller's, and goes on between two.
struct Looking {
    reader: String,
    found: Arc<Mutex<Option<Result<Shield>>>>,
    done: Arc<Signal>,
    cancel: Arc<Cancel>,
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// However the thread ends, whoever waits for it is told.
struct Told(Arc<Mutex<Option<Result<Shield>>>>, Arc<Signal>);

impl Drop for Told {
    fn drop(&mut self) {
        lock(&self.0).get_or_insert_with(|| Err(Error::new(ErrorKind::Defect, OPERATION).detail("the look has ended")));
        self.1.notify();
    }
}

/// What is in a reader.
enum Occupant {
    Shield(String),
    Refused,
}

#[derive(PartialEq, Eq)]
enum Service {
    /// Not asked yet.
    Unknown,
    Up,
    Down,
}

impl Scanner {
    /// Watches the readers that were named: those of one service. Modules that were named too are looked at when a card has come, so that a
    /// shield has all its routes.
    ///
    /// # Errors
    /// `Argument` unless the readers of exactly one service were named.
    pub fn watch(&self) -> Result<Watch> {
        let Some(readers) = self.one_service() else {
            return Err(Error::new(ErrorKind::Argument, OPERATION).detail("name the readers of one service"));
        };
        Ok(Watch {
            scanner: self.clone(),
            readers,
            desk: Desk::default(),
            occupants: BTreeMap::new(),
            seen: BTreeSet::new(),
            events: VecDeque::new(),
            changes: VecDeque::new(),
            looking: None,
            service: Service::Unknown,
        })
    }
}

impl Watch {
    /// The next event, or `None` at the end of the wait.
    ///
    /// # Errors
    /// `Cancelled`; `ServiceRefused`, `ServiceFull`, `ServiceMissing`. A service that has stopped is an event.
    pub fn next(&mut self, wait: &Wait) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if wait.cancel.is_cancelled() {
                return Err(Error::new(ErrorKind::Cancelled, OPERATION));
            }
            if let Some(looking) = &self.looking {
                let found = looking.done.wait_for(wait, || lock(&looking.found).take());
                match found {
                    Some(found) => self.looked(found),
                    None if wait.cancel.is_cancelled() => continue,
                    None => return Ok(None),
                }
                continue;
            }
            if let Some(change) = self.changes.pop_front() {
                self.tell(change);
                continue;
            }
            if wait.remaining().is_zero() {
                return Ok(None);
            }
            match self.states(wait) {
                Ok(states) => self.look_at(states),
                Err(error) if error.kind() == ErrorKind::ServiceStopped => self.service_is_down(wait),
                Err(error) if error.kind() == ErrorKind::Timeout => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn states(&mut self, wait: &Wait) -> Result<Vec<ReaderState>> {
        match self.service {
            Service::Up => self.readers.changed(self.desk.states(), wait),
            Service::Unknown | Service::Down => self.readers.list(wait),
        }
    }

    fn look_at(&mut self, states: Vec<ReaderState>) {
        // Readers that are there when the watch or the service begins are no news.
        let news = self.service == Service::Up;
        if self.service == Service::Down {
            self.events.push_back(Event::ServiceStarted);
        }
        self.service = Service::Up;
        let refused = |reader: &str| matches!(self.occupants.get(reader), Some(Occupant::Refused));
        let changes = self.desk.turn(states, refused);
        self.changes.extend(changes.into_iter().filter(|change| news || !matches!(change, Change::ReaderAdded(_))));
    }

    fn tell(&mut self, change: Change) {
        match change {
            Change::ReaderAdded(reader) => self.events.push_back(Event::ReaderAdded(reader)),
            Change::ReaderRemoved(reader) => self.events.push_back(Event::ReaderRemoved(reader)),
            Change::Out(reader) => self.went(reader),
            Change::In(state) => self.came(state),
            Change::Again(state) => {
                self.occupants.remove(&state.reader);
                self.came(state);
            }
        }
    }

    fn service_is_down(&mut self, wait: &Wait) {
        if self.service == Service::Down {
            let moment = wait.resumed(ASK_AGAIN.min(wait.remaining()));
            Arc::<Signal>::default().wait_for(&moment, || None::<()>);
            return;
        }
        for change in self.desk.turn(Vec::new(), |_| false) {
            if let Change::Out(reader) = change {
                self.went(reader);
            }
        }
        self.service = Service::Down;
        self.events.push_back(Event::ServiceStopped);
    }

    fn went(&mut self, reader: String) {
        match self.occupants.remove(&reader) {
            Some(Occupant::Shield(serial)) => self.events.push_back(Event::Removed { serial }),
            Some(Occupant::Refused) => self.events.push_back(Event::RefusedRemoved { reader }),
            None => {}
        }
    }

    fn came(&mut self, state: ReaderState) {
        // A look has a bound of its own.
        let wait = Wait::at_most(LOOK);
        let (found, done) = (Arc::<Mutex<_>>::default(), Arc::<Signal>::default());
        let cancel = Arc::clone(&wait.cancel);
        let looking = Looking { reader: state.reader.clone(), found, done, cancel };
        let told = Told(Arc::clone(&looking.found), Arc::clone(&looking.done));
        let (scanner, readers) = (self.scanner.clone(), Arc::clone(&self.readers));
        let work = move || {
            let shield = shield_in(&scanner, &readers, state, &wait);
            *lock(&told.0) = Some(shield);
        };
        // Where no thread can be had, the answer is that of one that has ended.
        drop(std::thread::Builder::new().name("shield-look".to_owned()).spawn(work));
        self.looking = Some(looking);
    }

    fn looked(&mut self, found: Result<Shield>) {
        let Some(reader) = self.looking.take().map(|looking| looking.reader.clone()) else { return };
        let (occupant, event) = match found {
            Ok(shield) => {
                let serial = shield.serial().to_owned();
                let known = !self.seen.insert(serial.clone());
                let event = if known { Event::Returned(shield) } else { Event::Arrived(shield) };
                (Occupant::Shield(serial), event)
            }
            // It is gone again: its removal is the next change, and nobody has seen it.
            Err(error) if error.kind() == ErrorKind::CardRemoved => return,
            Err(error) => (Occupant::Refused, Event::Refused { reader: reader.clone(), error }),
        };
        self.occupants.insert(reader, occupant);
        self.events.push_back(event);
    }
}

fn shield_in(scanner: &Scanner, readers: &Arc<dyn Readers>, state: ReaderState, wait: &Wait) -> Result<Shield> {
    let reader = state.reader.clone();
    let Scan { shields, problems, .. } = scanner.scan_reader(readers, state, wait)?;
    let is_here = |shield: &Shield| shield.doors().any(|door| door.reader == reader);
    let shield = shields.into_iter().find(is_here);
    shield.ok_or_else(|| problems.into_iter().next().unwrap_or_else(|| Error::new(ErrorKind::CardUnknown, OPERATION)))
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("scanner", &self.scanner).finish_non_exhaustive()
    }
}
