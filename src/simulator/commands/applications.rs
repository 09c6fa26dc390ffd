//! Applications (GM/T 0017 §9.3).

use zeroize::Zeroizing;

use super::{Call, list};
use crate::simulator::device::{Application, NAME_MAX, Secret, TRIES_MAX, Who, is_pin};
use crate::simulator::frame::trimmed;
use crate::simulator::status::{Done, Sw};

impl Call<'_> {
    /// The PINs come as they are: an issuer does this where nobody listens.
    pub(super) fn create_application(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        let dialect = self.dialect();
        let mut fields = self.fields();
        let name = fields.wide_name(dialect.name_width)?.to_owned();
        let (admin_pin, admin_tries) = (Zeroizing::new(fields.block()?), fields.u32()?);
        let (user_pin, user_tries) = (Zeroizing::new(fields.block()?), fields.u32()?);
        let (rights, containers_max) = (fields.u32()?, fields.u8()?);
        let (certificates_max, files_max) = (fields.u8()?, fields.u16()?);
        fields.end()?;
        self.device_right()?;
        let secret = |pin: &[u8; 16], tries: u32| {
            let tries = u8::try_from(tries).ok().filter(|tries| (1..=TRIES_MAX).contains(tries));
            match tries {
                Some(tries) if is_pin(trimmed(pin)) => Ok(Secret::new(trimmed(pin), tries)),
                _ => Err(Sw::DATA_FIELD),
            }
        };
        if name.len() > NAME_MAX {
            return Err(Sw::DATA_FIELD);
        }
        let application = Application {
            name,
            id: [0; 2],
            rights,
            containers_max,
            certificates_max,
            files_max,
            admin: secret(&admin_pin, admin_tries)?,
            user: secret(&user_pin, user_tries)?,
            containers: Vec::new(),
            files: Vec::new(),
        };
        self.card.change(|device| device.add(application))
    }

    pub(super) fn enum_applications(&mut self) -> Done {
        self.frame.only(0, 0)?;
        self.fields().end()?;
        Ok(list(self.card.device().applications.iter().map(|a| a.name.as_str())))
    }

    /// Everything in it goes with it.
    pub(super) fn delete_application(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        let name = self.fields().name()?;
        self.device_right()?;
        let id = self.card.device().named(name)?.id;
        self.card.change(|device| {
            device.applications.retain(|a| a.id != id);
            Ok(())
        })?;
        self.card.session.close(id);
        self.card.session.logout(id, Who::User);
        self.card.session.logout(id, Who::Admin);
        Ok(())
    }

    pub(super) fn open_application(&mut self) -> Done {
        self.frame.only(0, 0)?;
        let name = self.fields().name()?;
        let device = self.card.device();
        let application = device.named(name)?;
        let (habits, session) = (device.habits, &self.card.session);
        let twice = habits.opens_none_twice && session.is_open(application.id);
        if habits.one_application && (twice || session.other_is_open(application.id)) {
            return Err(Sw::ONE_APPLICATION);
        }
        let dialect = self.dialect();
        let mut answer = dialect.u32(application.rights).to_vec();
        answer.extend([application.containers_max, application.certificates_max]);
        answer.extend(dialect.u16(application.files_max));
        answer.extend(application.id);
        let id = application.id;
        self.card.session.open(id);
        Ok(answer)
    }

    /// The login stays (GM/T 0016 §7.4.5), unless the device has another habit.
    pub(super) fn close_application(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let id = fields.id()?;
        fields.end()?;
        self.open(id)?;
        self.card.session.close(id);
        if self.card.device().habits.close_ends_login {
            self.card.session.logout(id, Who::User);
            self.card.session.logout(id, Who::Admin);
        }
        Ok(())
    }
}
