//! Device management and the device's key (GM/T 0017 §9.1, §9.2).

use super::Call;
use crate::simulator::P256_CAPABILITY;
use crate::simulator::card::DATA_MAX;
use crate::simulator::crypto::{self, mac, padded, same};
use crate::simulator::device::{SPACE, TEXT_MAX};
use crate::simulator::frame::{is_name, trimmed};
use crate::simulator::status::{Done, Sw};

/// The most random octets of one command.
const RANDOM_MAX: usize = 4096;
/// P2 of the commands for the device's key: SM4. Others are not there.
const SM4: u8 = 2;
/// SM4 in ECB and in CBC.
const SYMMETRIC: u32 = 0x0000_0403;
const SM4_ECB: u32 = 0x0000_0401;
/// SM3, SHA-1 and SHA-256.
const DIGESTS: u32 = 0x0000_0007;

impl Call<'_> {
    pub(super) fn set_label(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        let label = std::str::from_utf8(trimmed(self.frame.data)).map_err(|_| Sw::DATA_FIELD)?;
        if label.len() > TEXT_MAX || !is_name(label) {
            return Err(Sw::DATA_FIELD);
        }
        self.card.change(|device| {
            label.clone_into(&mut device.label);
            Ok(())
        })
    }

    /// 288 octets, the same in sources O and F.
    pub(super) fn device_info(&mut self) -> Done {
        self.frame.only(0, 0)?;
        let (device, dialect) = (self.card.device(), self.dialect());
        let text = |text: &str, width: usize| {
            let mut field = text.as_bytes().to_vec();
            field.resize(width, 0);
            field
        };
        let number = |value: usize| dialect.u32(u32::try_from(value).unwrap_or(u32::MAX));
        let sm2 = dialect.sm2.iter().fold(0, |all, id| all | id);
        // Without extended length no more fits into a command.
        let data_max = if device.habits.short_only { 255 } else { DATA_MAX };
        let parts: [&[u8]; 21] = [
            // StructVersion, SpecificationVersion
            &[1, 0],
            &[1, 0],
            &text("simulator", 64),
            &text("shared-shield", 64),
            &text(&device.label, TEXT_MAX),
            &text(&device.serial, TEXT_MAX),
            // HWVersion, FirmwareVersion
            &[1, 0],
            &[1, 0],
            &dialect.u32(SYMMETRIC),
            &dialect.u32(sm2 | P256_CAPABILITY),
            &dialect.u32(DIGESTS),
            &dialect.u32(SM4_ECB),
            &number(SPACE),
            &number(device.free()),
            &dialect.u16(data_max),
            // UserAuthMethod: a PIN. DeviceType: a USB key.
            &dialect.u16(0),
            &dialect.u16(1),
            // MaxContainerNum, MaxCertNum, MaxFileNum
            &[16],
            &[32],
            &dialect.u16(64),
            // Reserved
            &[0; 54],
        ];
        Ok(parts.concat())
    }

    pub(super) fn random(&mut self) -> Done {
        self.frame.only(0, 0)?;
        if !self.frame.data.is_empty() {
            return Err(Sw::LENGTH);
        }
        let count = self.frame.expected.filter(|count| *count <= RANDOM_MAX).ok_or(Sw::EXPECTED_LENGTH)?;
        let random = crypto::random(count).ok_or(Sw::FAILED)?;
        let answer = random.to_vec();
        self.card.session.challenge(random);
        Ok(answer)
    }

    /// The random, or of a longer one its first 16 octets, with zeros behind it and under the key.
    pub(super) fn device_auth(&mut self) -> Done<()> {
        self.frame.only(0, SM4)?;
        let mut fields = self.fields();
        let given = fields.block()?;
        fields.end()?;
        self.card.session.device = false;
        let random = self.challenge.take().filter(|random| random.len() >= 8).ok_or(Sw::CONDITIONS)?;
        self.try_device_key(|key| {
            let mut expected = padded(&random);
            crypto::encrypt(key, &mut expected);
            same(&expected, &given)
        })?;
        self.card.change(|device| {
            device.key.left = device.key.most;
            Ok(())
        })?;
        self.card.session.device = true;
        Ok(())
    }

    /// The new key comes under the old one, with a MAC under the old one.
    pub(super) fn change_device_key(&mut self) -> Done<()> {
        self.frame.only(0, SM4)?;
        let mut fields = self.fields();
        let mut new = fields.block()?;
        let given = fields.octets(4)?.to_vec();
        fields.end()?;
        self.device_right()?;
        let random = self.mac_random()?;
        let mut old = [0; 16];
        let (header, length, data) = self.authenticated()?;
        self.try_device_key(|key| {
            old = *key;
            same(&mac(key, &random, header, length, &data), &given)
        })?;
        crypto::decrypt(&old, &mut new);
        self.card.change(|device| {
            device.key.set(&new);
            Ok(())
        })
    }

    /// A try is counted before anything is compared, so that a process that is killed in between has not got one for nothing. It stays counted
    /// until the caller gives it back.
    fn try_device_key(&mut self, is_right: impl FnOnce(&[u8; 16]) -> bool) -> Done<()> {
        let left = self.card.change(|device| {
            device.key.left = device.key.left.checked_sub(1).ok_or(Sw::LOCKED)?;
            Ok(device.key.left)
        })?;
        if is_right(&padded(self.card.device().key.value.get())) {
            return Ok(());
        }
        self.card.session.device = false;
        Err(self.dialect().refused(left))
    }

    /// The first 8 octets of the random for a MAC.
    pub(super) fn mac_random(&mut self) -> Done<Vec<u8>> {
        let random = self.challenge.take().ok_or(Sw::CONDITIONS)?;
        random.get(..8).map(<[u8]>::to_vec).ok_or(Sw::CONDITIONS)
    }

    /// What a MAC is over: header, Lc as on the wire, the data before the MAC.
    pub(super) fn authenticated(&self) -> Done<([u8; 4], u16, Vec<u8>)> {
        let frame = self.frame;
        let length = u16::try_from(frame.data.len()).map_err(|_| Sw::LENGTH)?;
        let data = frame.data.len().checked_sub(4).and_then(|end| frame.data.get(..end)).ok_or(Sw::LENGTH)?;
        Ok(([frame.cla, frame.ins, frame.p1, frame.p2], length, data.to_vec()))
    }
}
