//! What a device says of itself: GetDevInfo (GM/T 0017 §9.1; the wire block as sources O and F have it).

use super::dialect::Order;
use super::frame::{self, Fields};
use crate::apdu::{Exchange, Expect, Sw};
use crate::cert::plain;
use crate::error::{ErrorKind, Result};
use crate::suite::hex;
use crate::token::CardId;

const NAME: &str = "GetDevInfo";
/// Octets of the block. The C structure DEVINFO (294 octets) is another one.
pub const DEVICE_INFO: usize = 288;
/// The beginning of the manufacturer's name of the simulator.
const SIMULATOR: &str = "simulator";

/// A version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version {
    /// Before the point.
    pub major: u8,
    /// After it.
    pub minor: u8,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What a device says of itself. Texts end at their first NUL, and what is hidden in them is shown as `?`. Numbers whose order of octets only
/// a dialect tells are kept as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Version of this block.
    pub structure: Version,
    /// Version of the standard.
    pub specification: Version,
    /// Manufacturer.
    pub manufacturer: String,
    /// Issuer.
    pub issuer: String,
    /// Label.
    pub label: String,
    /// Serial number.
    pub serial: String,
    /// Hardware version.
    pub hardware: Version,
    /// Firmware version.
    pub firmware: Version,
    /// How many containers an application has at the most.
    pub containers: u8,
    /// How many certificates.
    pub certificates: u8,
    /// The same octets with hidden ones in the serial number told apart.
    serial_octets: Vec<u8>,
    words: [[u8; 4]; 6],
    kind: [u8; 2],
}

/// The numbers of a [`DeviceInfo`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Number {
    /// Symmetric algorithms, bit by bit.
    SymmetricAlgorithms,
    /// Asymmetric algorithms, bit by bit.
    AsymmetricAlgorithms,
    /// Digests, bit by bit.
    Digests,
    /// The algorithm of device authentication (SGD number).
    DeviceAuthentication,
    /// Memory in octets.
    TotalSpace,
    /// Free memory in octets.
    FreeSpace,
}

/// Up to the first NUL; devices fill with NUL, and with spaces.
fn text(octets: &[u8]) -> String {
    let text = octets.split(|o| *o == 0).next().unwrap_or_default();
    plain(String::from_utf8_lossy(text).trim(), octets.len())
}

impl DeviceInfo {
    /// Reads the wire block.
    ///
    /// # Errors
    /// `DeviceInfo` for any other size than [`DEVICE_INFO`].
    pub fn read(block: &[u8]) -> Result<Self> {
        DeviceInfo::fields(block).map_err(|_| {
            Sw::Success
                .as_kind(ErrorKind::DeviceInfo, NAME)
                .detail(format!("{} octets, the standard's block has {DEVICE_INFO}", block.len()))
        })
    }

    /// StructVersion2, SpecificationVersion2, Manufacturer64, Issuer64, Label32, Serial32, HW2, FW2, AlgSymCap4, AlgAsymCap4, AlgHashCap4,
    /// DevAuthAlgId4, TotalSpace4, FreeSpace4, MaxApduDataLen2, UserAuthMethod2, DeviceType2, MaxContainerNum1, MaxCertNum1, MaxFileNum2,
    /// Reserved54.
    fn fields(block: &[u8]) -> Result<Self> {
        let mut fields = Fields::of(block, NAME);
        let version = |[major, minor]: [u8; 2]| Version { major, minor };
        let (structure, specification) = (version(fields.take()?), version(fields.take()?));
        let (manufacturer, issuer) = (fields.take::<64>()?, fields.take::<64>()?);
        let (label, serial) = (fields.take::<32>()?, fields.take::<32>()?);
        let (hardware, firmware) = (version(fields.take()?), version(fields.take()?));
        let mut words = [[0; 4]; 6];
        for word in &mut words {
            *word = fields.take()?;
        }
        let (_most_data, _user_authentication) = (fields.take::<2>()?, fields.take::<2>()?);
        let kind = fields.take()?;
        let [containers, certificates] = fields.take()?;
        let (_files, _reserved) = (fields.take::<2>()?, fields.take::<54>()?);
        fields.end()?;
        Ok(DeviceInfo {
            structure,
            specification,
            manufacturer: text(&manufacturer),
            issuer: text(&issuer),
            label: text(&label),
            serial: text(&serial),
            hardware,
            firmware,
            containers,
            certificates,
            serial_octets: serial.split(|o| *o == 0).next().unwrap_or_default().to_vec(),
            words,
            kind,
        })
    }

    /// One of its numbers, in the order of octets of a dialect.
    #[must_use]
    pub fn number(&self, number: Number, order: Order) -> u32 {
        let [symmetric, asymmetric, digests, authentication, total, free] = self.words;
        order.read(match number {
            Number::SymmetricAlgorithms => symmetric,
            Number::AsymmetricAlgorithms => asymmetric,
            Number::Digests => digests,
            Number::DeviceAuthentication => authentication,
            Number::TotalSpace => total,
            Number::FreeSpace => free,
        })
    }

    /// The type of the device. Its dialect is chosen by this number among others, so no dialect can say how it is read: where one octet is
    /// zero the other one is the number, else the first is the most significant one.
    fn kind(&self) -> u16 {
        match self.kind {
            [low, 0] => u16::from(low),
            both => u16::from_be_bytes(both),
        }
    }

    /// Whether it has P-256 keys beside SM2: a marked extension of the simulator (bit 31 of AlgAsymCap), which no device of a maker has.
    pub(super) fn has_p256(&self, order: Option<Order>) -> bool {
        let orders = order.map_or(vec![Order::Big, Order::Little], |order| vec![order]);
        let marked = |order: &Order| self.number(Number::AsymmetricAlgorithms, *order) & 0x8000_0000 != 0;
        self.manufacturer.starts_with(SIMULATOR) && orders.iter().any(marked)
    }

    /// Who the card is. A serial number that people cannot read is given in hex.
    #[must_use]
    pub fn card_id(&self) -> CardId {
        let readable = self.serial.as_bytes() == self.serial_octets.trim_ascii();
        let serial = match (readable, self.serial.is_empty()) {
            (_, true) => "unnumbered".to_owned(),
            (true, _) => self.serial.clone(),
            (false, _) => hex(&self.serial_octets),
        };
        CardId {
            serial,
            label: self.label.clone(),
            manufacturer: self.manufacturer.clone(),
            model: format!("GM/T 0017 type {}, hardware {}, firmware {}", self.kind(), self.hardware, self.firmware),
        }
    }
}

/// GetDevInfo; `None` where the card is of another family.
///
/// # Errors
/// What the card answers when it fails, and `DeviceInfo` for a block of another size.
pub(super) fn ask(card: &mut Exchange<'_>) -> Result<Option<Vec<u8>>> {
    let size = u16::try_from(DEVICE_INFO).unwrap_or(u16::MAX);
    let answer = card.send(&frame::reading(NAME, 0x04, 0, 0).expect(Expect::Exactly(size)))?;
    match answer.sw() {
        // A card that says yes to everything and says nothing is none of these.
        Sw::Success if answer.data().is_empty() => Ok(None),
        Sw::Success => DeviceInfo::read(answer.data()).map(|_| Some(answer.data().to_vec())),
        sw @ Sw::Failure(_) => Err(sw.error(NAME)),
        _ => Ok(None),
    }
}

/// Reads what the device says of itself.
///
/// # Errors
/// `CardUnknown` where the card does not speak GM/T 0017, `DeviceInfo`, and what the card answers when it fails.
pub fn device_info(card: &mut Exchange<'_>) -> Result<DeviceInfo> {
    let block = ask(card)?.ok_or_else(|| crate::error::Error::new(ErrorKind::CardUnknown, NAME))?;
    DeviceInfo::read(&block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::gm0017::model;

    #[test]
    fn a_block_of_another_size_is_refused() {
        let block = model::device_info();
        for length in [0, 1, 200, 286, 287, 289, 294, 296] {
            let mut octets = block.clone();
            octets.resize(length, 0);
            let error = DeviceInfo::read(&octets).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DeviceInfo, "{length}");
            assert!(error.raw_status().is_some());
        }
        assert_eq!(DeviceInfo::read(&block).unwrap().manufacturer, "Model maker");
    }

    #[test]
    fn texts_end_at_their_nul_and_show_nothing_hidden() {
        let mut block = model::device_info();
        block[4..14].copy_from_slice("a\u{1B}[2J\u{202E}\0x".as_bytes());
        block[164..172].copy_from_slice(b"12\x1B4\0zzz");
        let info = DeviceInfo::read(&block).unwrap();
        assert_eq!(info.manufacturer, "a?[2J?");
        // Two serial numbers that look alike stay two.
        assert_eq!(info.card_id().serial, "31321b34");
        block[164..172].copy_from_slice(b"12345678");
        assert!(DeviceInfo::read(&block).unwrap().card_id().serial.starts_with("12345678"));
        block[164..196].fill(0);
        assert_eq!(DeviceInfo::read(&block).unwrap().card_id().serial, "unnumbered");
    }

    #[test]
    fn a_model_is_named_alike_whatever_the_order_of_octets() {
        let mut block = model::device_info();
        for kind in [[0, 7], [7, 0]] {
            block[228..230].copy_from_slice(&kind);
            let id = DeviceInfo::read(&block).unwrap().card_id();
            assert_eq!(id.model, "GM/T 0017 type 7, hardware 2.1, firmware 3.4");
        }
    }

    #[test]
    fn only_the_simulator_has_keys_of_p256() {
        let mut block = model::device_info();
        block[204..208].copy_from_slice(&[0x80, 0, 0, 0]);
        assert!(!DeviceInfo::read(&block).unwrap().has_p256(None));
        block[4..13].copy_from_slice(b"simulator");
        block[13] = 0;
        let info = DeviceInfo::read(&block).unwrap();
        assert!(info.has_p256(None) && info.has_p256(Some(Order::Big)) && !info.has_p256(Some(Order::Little)));
    }
}
