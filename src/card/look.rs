//! Which driver takes a card, and what is on it: once for an insertion, or when somebody asks.

use std::sync::{Arc, Mutex};

use super::{Card, CardDoor, Live, Place, Usage};
use crate::cert::Certificate;
use crate::door::{Door, DoorId, DoorInfo};
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::error::Status;
use crate::link::{Atr, Presence, ReaderState, Readers, Transaction};
use crate::policy;
use crate::token::{CardId, CardRules, DRIVERS, Driver, Fit, Greeting, Insertion, Slot, Token};
use crate::wait::Wait;

/// What one driver said of one card.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tried {
    /// The driver's name.
    pub driver: &'static str,
    /// What the ATR said.
    pub fit: Fit,
    /// What became of it, in one clause.
    pub outcome: String,
}

/// How one card was looked at: which driver took it and why, for people who wonder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CardReport {
    /// The reader.
    pub reader: String,
    /// The card's ATR.
    pub atr: Atr,
    /// Drivers in the order in which they were asked.
    pub tried: Vec<Tried>,
    /// The door that came of it.
    pub door: Option<DoorId>,
}

/// How to look at a card.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    /// Places whose certificates are read; empty: those that the driver looks at by itself.
    pub(crate) wanted: Vec<String>,
    /// Who the card is said to be; then it is not asked.
    pub(crate) serial: Option<String>,
    /// The driver that is said to take it; then no other one is asked, and its command is saved.
    pub(crate) driver: Option<String>,
    /// What the profile says of cards.
    pub(crate) rules: Arc<CardRules>,
}

/// A door with its certificates, or why there is none; and how that was found.
pub(crate) struct Looked {
    pub(crate) report: CardReport,
    pub(crate) outcome: Result<Opened>,
}

/// Certificates with their slots.
pub(crate) type Contents = Vec<(Slot, Arc<Certificate>)>;

/// What was seen in the transaction in which a card was looked at.
pub(crate) struct Opened {
    pub(crate) door: Arc<dyn Door>,
    pub(crate) contents: Contents,
    pub(crate) notes: Vec<Error>,
}

/// Looks at the card in a reader: one connection, one transaction, no PIN.
pub(crate) fn look_at(readers: &Arc<dyn Readers>, state: &ReaderState, look: &Look, wait: &Wait) -> Looked {
    let atr = match &state.presence {
        Presence::Card(atr) => atr.clone(),
        _ => Atr::default(),
    };
    let mut report = CardReport { reader: state.reader.clone(), atr, tried: Vec::new(), door: None };
    let outcome = match &state.presence {
        Presence::Mute => Err(Error::new(ErrorKind::CardMute, "look at card")),
        _ => open_despite_resets(readers, look, wait, &mut report),
    };
    if let Ok(opened) = &outcome {
        report.door = Some(opened.door.id().clone());
    }
    let outcome = outcome.map_err(|e| in_reader(e, &state.reader));
    Looked { report, outcome }
}

fn in_reader(error: Error, reader: &str) -> Error {
    let detail = match error.what() {
        Some(what) => format!("reader {reader:?}: {what}"),
        None => format!("reader {reader:?}"),
    };
    error.detail(detail)
}

/// Reading takes no PIN, so what another program's reset ends is begun again.
fn open_despite_resets(
    readers: &Arc<dyn Readers>,
    look: &Look,
    wait: &Wait,
    report: &mut CardReport,
) -> Result<Opened> {
    for _ in 0..policy::RECONNECTS {
        match open(readers, look, wait, report) {
            Err(error)
                if error.kind() == ErrorKind::TokenFailed && matches!(error.raw_status(), Some(Status::Pcsc(_))) =>
            {
                report.tried.clear();
            }
            other => return other,
        }
    }
    open(readers, look, wait, report)
}

fn open(readers: &Arc<dyn Readers>, look: &Look, wait: &Wait, report: &mut CardReport) -> Result<Opened> {
    let link = readers.connect(&report.reader, wait)?;
    report.atr = link.atr();
    let mut transaction = link.begin(wait)?;
    let (driver, greeting) = choose(&mut *transaction, look, report)?;
    let id = match &look.serial {
        // Who has said who it is needs not be believed to be another one.
        Some(serial) if greeting == Greeting::default() => CardId { serial: serial.clone(), ..CardId::default() },
        _ => driver.identify(&mut *transaction, &link.atr(), &greeting)?,
    };
    let insertion = Insertion::new(report.atr.clone(), look.wanted.clone()).greeted(greeting).under(&look.rules);
    let insertion = Arc::new(insertion);
    let mut token = driver.attach(transaction, true, &insertion)?;
    let (contents, notes) = read(&mut *token)?;
    drop(token);
    let rule = look.rules.dialect(&report.atr, &id.manufacturer, &id.model);
    let info = DoorInfo {
        module: driver.name().to_owned(),
        label: id.label.clone(),
        manufacturer: id.manufacturer.clone(),
        model: id.model.clone(),
        serial: id.serial.clone(),
        reader: report.reader.clone(),
        atr: Some(report.atr.clone()),
        dialect: rule.map(|r| r.dialect.clone()).unwrap_or_default(),
    };
    let place = Place { reader: report.reader.clone(), live: None, usage: Usage::new() };
    let name = DoorId::of([driver.name(), &id.serial]);
    let card = Arc::new(Card {
        readers: Arc::clone(readers),
        driver,
        id,
        wanted: look.wanted.clone(),
        rules: Arc::clone(&look.rules),
        tries: insertion.tries(),
        place: Mutex::new(place),
    });
    card.keep(Live { link, insertion });
    let door = Arc::new(CardDoor { id: name, info, card });
    Ok(Opened { door, contents, notes })
}

/// The driver whose application is on the card. The ATR sorts, the AID decides; a driver that the profile names for the ATR is asked alone.
fn choose(card: &mut dyn Transaction, look: &Look, report: &mut CardReport) -> Result<(&'static dyn Driver, Greeting)> {
    let forced = look.rules.drivers.iter().find(|(atr, _)| *atr == report.atr).map(|(_, name)| name.as_str());
    let mut drivers: Vec<(Fit, &'static dyn Driver)> = DRIVERS
        .iter()
        .map(|d| (d.fit(&report.atr), *d))
        .filter(|(_, d)| [forced, look.driver.as_deref()].into_iter().flatten().all(|name| name == d.name()))
        .collect();
    drivers.sort_by(|(a, _), (b, _)| b.cmp(a));
    for (fit, driver) in drivers {
        let mut note =
            |outcome: &str| report.tried.push(Tried { driver: driver.name(), fit, outcome: outcome.to_owned() });
        if fit == Fit::No && forced.is_none() {
            note("not asked: the ATR is of another family");
            continue;
        }
        match driver.probe(card) {
            Ok(Some(greeting)) => {
                note("takes it: the card has its application");
                return Ok((driver, greeting));
            }
            Ok(None) => note("the card does not have its application"),
            Err(error) => {
                note(&format!("failed: {error}"));
                return Err(error);
            }
        }
    }
    let kind = if forced.is_some() { ErrorKind::CardApplication } else { ErrorKind::CardUnknown };
    Err(Error::new(kind, "look at card").detail(format!("ATR {}", report.atr)))
}

/// Certificates of a token. No PIN is needed.
pub(crate) fn read(token: &mut dyn Token) -> Result<(Contents, Vec<Error>)> {
    let (mut contents, slots) = (Vec::new(), token.slots()?);
    let mut notes = token.notes();
    for slot in slots.into_iter().take(policy::OBJECTS_MAX) {
        let der = token.certificate(&slot.certificate)?;
        match Certificate::from_der(&der) {
            Ok(certificate) => contents.push((slot, Arc::new(certificate))),
            Err(error) => notes.push(error),
        }
    }
    Ok((contents, notes))
}
