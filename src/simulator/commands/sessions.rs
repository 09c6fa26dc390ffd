//! Session keys and digests (GM/T 0017 §9.6), with the fields that source F gives them.

use sha1::Digest;
use zeroize::Zeroizing;

use super::Call;
use crate::simulator::crypto::{self, Algorithm, Usage};
use crate::simulator::frame::{Fields, Id};
use crate::simulator::session::{Hash, Running};
use crate::simulator::status::{Done, Sw};

/// SM4 in ECB and in CBC: the session keys that this device takes.
const ECB: u32 = 0x0000_0401;
const CBC: u32 = 0x0000_0402;
/// Octets of BLOCKCIPHERPARAM: a vector of 32, its length, padding, feedback.
const WHOLE_PARAMETERS: usize = 44;

impl Call<'_> {
    /// Application and container, both open.
    fn owner(&self, fields: &mut Fields<'_>) -> Done<(Id, Id)> {
        let owner = (fields.id()?, fields.id()?);
        self.open_in(owner.0, owner.1)?;
        Ok(owner)
    }

    /// It comes under the encryption key, as an exported one does: bits, C1, C3, the length of C2, C2.
    pub(super) fn import_session_key(&mut self) -> Done {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let owner = self.owner(&mut fields)?;
        let (algorithm, mut wrapped) = (fields.u32()?, fields.nested()?);
        fields.end()?;
        let (bits, c1, c3, c2) = (wrapped.u32()?, wrapped.point()?, wrapped.coordinate()?, wrapped.counted()?);
        wrapped.end()?;
        self.user(owner.0)?;
        let chained = match algorithm {
            ECB => false,
            CBC => true,
            _ => return Err(Sw::SESSION_ALGORITHM),
        };
        if bits != 256 {
            return Err(Sw::DATA_FIELD);
        }
        let pair = self.open_in(owner.0, owner.1)?.pair(Usage::Encryption)?;
        if pair.algorithm != Algorithm::Sm2 {
            return Err(Sw::CONDITIONS);
        }
        let key = crypto::unwrap(pair.scalar.get(), &c1, &c3, c2).ok_or(Sw::DECRYPT_FAILED)?;
        let key: Zeroizing<[u8; 16]> = Zeroizing::new(key.as_slice().try_into().map_err(|_| Sw::DATA_FIELD)?);
        Ok(self.card.session.keep(owner, chained, *key)?.to_vec())
    }

    /// The parameters stand as they do in C's BLOCKCIPHERPARAM (F), or with the vector as long as its length, in two octets, says (M: the host
    /// library of another bank's shield). Their lengths differ, so both are taken.
    pub(super) fn crypt_init(&mut self, encrypt: bool) -> Done<()> {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let owner = self.owner(&mut fields)?;
        let (id, algorithm) = (fields.id()?, fields.u32()?);
        let mut parameters = fields;
        let vector = if fields.rest().len() == WHOLE_PARAMETERS {
            let vector = parameters.octets(32)?;
            let length = usize::try_from(parameters.u32()?).map_err(|_| Sw::REFERENCE_DATA)?;
            vector.get(..length).ok_or(Sw::REFERENCE_DATA)?
        } else {
            let length = parameters.u16()?;
            parameters.octets(length.into())?
        };
        let (padding, _feedback) = (parameters.u32()?, parameters.u32()?);
        parameters.end()?;
        let key = self.card.session.key(owner, id)?;
        if algorithm != if key.chained { CBC } else { ECB } {
            return Err(Sw::REFERENCE_DATA);
        }
        if padding != 0 {
            return Err(Sw::UNSUPPORTED);
        }
        let vector = match vector {
            [] if !key.chained => [0; 16],
            vector => vector.try_into().map_err(|_| Sw::REFERENCE_DATA)?,
        };
        key.running = Some(Running { encrypt, vector });
        Ok(())
    }

    /// Whole blocks in, whole blocks out. `last`: the key is at rest after this.
    pub(super) fn crypt(&mut self, encrypt: bool, last: bool) -> Done {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let owner = self.owner(&mut fields)?;
        let id = fields.id()?;
        let mut data = Zeroizing::new(fields.rest().to_vec());
        let key = self.card.session.key(owner, id)?;
        let mut running = key.running.take().filter(|running| running.encrypt == encrypt).ok_or(Sw::CONDITIONS)?;
        if !data.len().is_multiple_of(16) {
            return Err(Sw::LENGTH);
        }
        match (encrypt, key.chained) {
            (true, true) => crypto::encrypt_chained(&key.value, &mut running.vector, &mut data),
            (false, true) => crypto::decrypt_chained(&key.value, &mut running.vector, &mut data),
            (true, false) => crypto::encrypt(&key.value, &mut data),
            (false, false) => crypto::decrypt(&key.value, &mut data),
        }
        key.running = Some(running).filter(|_| !last);
        Ok(data.to_vec())
    }

    pub(super) fn destroy_session_key(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let owner = self.owner(&mut fields)?;
        let id = fields.id()?;
        fields.end()?;
        self.card.session.destroy(owner, id)
    }

    /// P2 is 1 for SM3, 2 for SHA-1, 3 for SHA-256. SM3 with a public key and an identifier begins with their Z.
    pub(super) fn digest_init(&mut self) -> Done<()> {
        self.card.session.digest = None;
        let mut fields = self.fields();
        let hash = match (self.frame.p1, self.frame.p2) {
            (0, 1) if !self.frame.data.is_empty() => {
                let (bits, point, id) = (fields.u32()?, fields.point()?, fields.counted()?);
                if bits != 256 {
                    return Err(Sw::DATA_FIELD);
                }
                let z = crypto::z(&point, id).ok_or(Sw::DATA_FIELD)?;
                Hash::Sm3(sm3::Sm3::new().chain_update(z))
            }
            (0, 1) => Hash::Sm3(sm3::Sm3::new()),
            (0, 2) => Hash::Sha1(sha1::Sha1::new()),
            (0, 3) => Hash::Sha256(sha2::Sha256::new()),
            (0, _) => return Err(Sw::DIGEST_ALGORITHM),
            _ => return Err(Sw::P1P2),
        };
        fields.end()?;
        self.card.session.digest = Some(hash);
        Ok(())
    }

    pub(super) fn digest_update(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        self.card.session.digest.as_mut().ok_or(Sw::CONDITIONS)?.update(self.frame.data);
        Ok(())
    }

    /// Digest and DigestFinal.
    pub(super) fn digest_final(&mut self) -> Done {
        self.frame.only(0, 0)?;
        let mut hash = self.card.session.digest.take().ok_or(Sw::CONDITIONS)?;
        hash.update(self.frame.data);
        let digest = hash.finish();
        let dialect = self.dialect();
        let length = u32::try_from(digest.len()).map_err(|_| Sw::FAILED)?;
        Ok(if dialect.digest_length { [&dialect.u32(length)[..], &digest].concat() } else { digest })
    }
}
