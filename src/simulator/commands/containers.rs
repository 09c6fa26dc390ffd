//! Containers and their certificates (GM/T 0017 §9.5).

use super::{Call, list};
use crate::simulator::crypto::Usage;
use crate::simulator::device::CERTIFICATE_MAX;
use crate::simulator::frame::Id;
use crate::simulator::octets::Octets;
use crate::simulator::status::{Done, Sw};

/// A certificate's file where a device gives it out whole, with what stands behind the certificate.
const CERTIFICATE_FILE: usize = 4 * 1024;

impl Call<'_> {
    /// Application and name.
    fn by_name(&self) -> Done<(Id, String)> {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let (id, name) = (fields.id()?, fields.name()?);
        self.open(id)?;
        Ok((id, name.to_owned()))
    }

    pub(super) fn create_container(&mut self) -> Done {
        let (application, name) = self.by_name()?;
        self.user(application)?;
        let id = self.card.change(|device| device.application_mut(application)?.add(&name, false))?;
        self.card.session.open_container(application, id);
        Ok(id.to_vec())
    }

    pub(super) fn open_container(&mut self) -> Done {
        let (application, name) = self.by_name()?;
        let id = self.open(application)?.named(&name)?.id;
        self.card.session.open_container(application, id);
        Ok(id.to_vec())
    }

    pub(super) fn close_container(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let (application, id) = (fields.id()?, fields.id()?);
        fields.end()?;
        self.open_in(application, id)?;
        self.card.session.close_container(application, id);
        Ok(())
    }

    pub(super) fn enum_containers(&mut self) -> Done {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let id = fields.id()?;
        fields.end()?;
        Ok(list(self.open(id)?.containers.iter().map(|container| container.name.as_str())))
    }

    pub(super) fn delete_container(&mut self) -> Done<()> {
        let (application, name) = self.by_name()?;
        self.user(application)?;
        let id = self.open(application)?.named(&name)?.id;
        self.card.change(|device| {
            device.application_mut(application)?.containers.retain(|container| container.id != id);
            Ok(())
        })?;
        self.card.session.close_container(application, id);
        Ok(())
    }

    pub(super) fn container_info(&mut self) -> Done {
        let (application, name) = self.by_name()?;
        let container = self.open(application)?.named(&name)?;
        let dialect = self.dialect();
        let bits = |usage| match container.half(usage).pair {
            _ if container.rsa => 2048,
            Some(_) => 256,
            None => 0,
        };
        let certificate = |usage| u8::from(container.half(usage).certificate.is_some());
        let mut answer = vec![container.kind()];
        answer.extend(dialect.u32(bits(Usage::Signing)));
        answer.extend(dialect.u32(bits(Usage::Encryption)));
        answer.extend([certificate(Usage::Signing), certificate(Usage::Encryption)]);
        Ok(answer)
    }

    /// What the certificate says is not looked at, as devices do not.
    pub(super) fn import_certificate(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let (application, id, kind) = (fields.id()?, fields.id()?, fields.u8()?);
        let certificate = fields.counted()?;
        fields.end()?;
        let usage = match kind {
            0 => Usage::Encryption,
            1 => Usage::Signing,
            _ => return Err(Sw::DATA_FIELD),
        };
        let before = self.open_in(application, id)?.half(usage).certificate.as_ref().map(Octets::len);
        self.user(application)?;
        if certificate.is_empty() {
            return Err(Sw::DATA_FIELD);
        }
        let room = self.card.device().free().saturating_add(before.unwrap_or_default());
        let of = self.open(application)?;
        let one_more = before.is_some() || of.certificates() < usize::from(of.certificates_max);
        if certificate.len() > CERTIFICATE_MAX.min(room) || !one_more {
            return Err(Sw::NO_SPACE);
        }
        self.card.change(|device| {
            let container = device.application_mut(application)?.container_mut(id)?;
            container.half_mut(usage).certificate = Some(Octets::new(certificate));
            Ok(())
        })
    }

    pub(super) fn export_certificate(&mut self) -> Done {
        let usage = Call::usage(self.frame.p1)?;
        if self.frame.p2 != 0 {
            return Err(Sw::P1P2);
        }
        let mut fields = self.fields();
        let (application, id) = (fields.id()?, fields.id()?);
        fields.end()?;
        let container = self.open_in(application, id)?;
        let certificate = container.half(usage).certificate.as_ref().ok_or(Sw::NO_CERTIFICATE)?;
        let length = u32::try_from(certificate.len()).map_err(|_| Sw::FAILED)?;
        let mut answer = [&self.dialect().u32(length)[..], certificate.get()].concat();
        if self.card.device().habits.whole_files && answer.len() < CERTIFICATE_FILE {
            answer.resize(CERTIFICATE_FILE, 0);
        }
        Ok(answer)
    }
}
