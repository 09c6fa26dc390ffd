//! Key pairs and signatures (GM/T 0017 §9.6). No command gives out a private key.

use zeroize::{Zeroize, Zeroizing};

use super::Call;
use crate::simulator::P256;
use crate::simulator::crypto::{self, Algorithm, Usage};
use crate::simulator::device::{Pair, Who};
use crate::simulator::octets::Octets;
use crate::simulator::status::{Done, Sw};

/// Bits of a key.
const BITS: u32 = 256;
/// SM2 without a use (GM/T 0006).
const SM2: u32 = 0x0002_0100;
/// SM4 in ECB: what an encryption pair is wrapped in.
const SM4_ECB: u32 = 0x0000_0401;

impl Call<'_> {
    /// A new signing pair, in place of the one that may be there. P2 is 50 for P-256.
    pub(super) fn generate_pair(&mut self) -> Done {
        let algorithm = match (self.frame.p1, self.frame.p2) {
            (0, 0) => Algorithm::Sm2,
            (0, P256) => Algorithm::P256,
            _ => return Err(Sw::P1P2),
        };
        let mut fields = self.fields();
        let (application, id, bits) = (fields.id()?, fields.id()?, fields.u32()?);
        fields.end()?;
        self.open_in(application, id)?;
        self.user(application)?;
        if bits != BITS {
            return Err(Sw::DATA_FIELD);
        }
        let scalar = crypto::generate(algorithm).ok_or(Sw::KEY_GENERATION)?;
        let pair = Pair { algorithm, scalar: Octets::new(&scalar) };
        let point = pair.point().ok_or(Sw::KEY_GENERATION)?;
        self.card.change(|device| device.application_mut(application)?.container_mut(id)?.put(Usage::Signing, pair))?;
        Ok(point.to_vec())
    }

    /// The encryption pair, wrapped: its private key under SM4, and SM4's key under the signing key.
    pub(super) fn import_pair(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let (application, id) = (fields.id()?, fields.id()?);
        let (asymmetric, symmetric, bits) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (c1, c3, c2) = (fields.point()?, fields.coordinate()?, fields.counted()?);
        let (point_bits, point) = (fields.u32()?, fields.point()?);
        let mut wrapped = Zeroizing::new(fields.counted()?.to_vec());
        fields.end()?;
        let container = self.open_in(application, id)?;
        self.user(application)?;
        if asymmetric != SM2 && !self.dialect().sm2.contains(&asymmetric) || symmetric != SM4_ECB {
            return Err(Sw::UNSUPPORTED);
        }
        if bits != BITS || point_bits != BITS || wrapped.len() != 64 || c2.len() != 16 {
            return Err(Sw::DATA_FIELD);
        }
        let signing = container.pair(Usage::Signing)?;
        if signing.algorithm != Algorithm::Sm2 {
            return Err(Sw::CONDITIONS);
        }
        let key = crypto::unwrap(signing.scalar.get(), &c1, &c3, c2).ok_or(Sw::DECRYPT_FAILED)?;
        crypto::decrypt(&crypto::padded(&key), &mut wrapped);
        // The private key stands at the right end of its 64 octets (GM/T 0016 §6.4).
        let scalar = wrapped.get(32..).map(Octets::new).ok_or(Sw::DATA_FIELD)?;
        let pair = Pair { algorithm: Algorithm::Sm2, scalar };
        if pair.point() != Some(point) {
            return Err(Sw::DATA_ERROR);
        }
        self.card.change(|device| device.application_mut(application)?.container_mut(id)?.put(Usage::Encryption, pair))
    }

    /// P1 is 1 for a message with the signer's identifier before it, 2 for what was hashed already.
    pub(super) fn sign(&mut self) -> Done {
        if self.frame.p2 != 0 {
            return Err(Sw::P1P2);
        }
        let mut fields = self.fields();
        let (application, id) = (fields.id()?, fields.id()?);
        let container = self.open_in(application, id)?;
        self.user(application)?;
        let pair = container.pair(Usage::Signing)?;
        let mut e = match self.frame.p1 {
            1 if pair.algorithm == Algorithm::Sm2 => {
                let signer = fields.counted()?;
                let point = pair.point().ok_or(Sw::SIGN_FAILED)?;
                crypto::message_digest(&point, signer, fields.rest()).ok_or(Sw::DATA_FIELD)?
            }
            1 => return Err(Sw::UNSUPPORTED),
            2 => fields.coordinate()?,
            _ => return Err(Sw::P1P2),
        };
        fields.end()?;
        let signature = crypto::sign(pair.algorithm, pair.scalar.get(), &e).ok_or(Sw::SIGN_FAILED)?;
        e.zeroize();
        if self.card.device().habits.drops_login_after_signature {
            self.card.session.logout(application, Who::User);
        }
        Ok([&self.dialect().u32(BITS)[..], &signature].concat())
    }

    /// With a public key that comes with the command.
    pub(super) fn verify(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let (bits, point, e) = (fields.u32()?, fields.point()?, fields.counted()?);
        let r_s = fields.point()?;
        fields.end()?;
        if bits != BITS || e.len() != 32 {
            return Err(Sw::DATA_FIELD);
        }
        match crypto::verify(&point, e, &r_s) {
            Some(true) => Ok(()),
            Some(false) => Err(Sw::SIGNATURE_WRONG),
            None => Err(Sw::DATA_FIELD),
        }
    }

    pub(super) fn export_public_key(&mut self) -> Done {
        let usage = Call::usage(self.frame.p1)?;
        if self.frame.p2 != 0 {
            return Err(Sw::P1P2);
        }
        let mut fields = self.fields();
        let (application, id) = (fields.id()?, fields.id()?);
        fields.end()?;
        let point = self.open_in(application, id)?.pair(usage)?.point().ok_or(Sw::NO_KEY_PAIR)?;
        Ok([&self.dialect().u32(BITS)[..], &point].concat())
    }
}
