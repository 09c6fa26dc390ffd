//! Files (GM/T 0017 §9.4). P1 and P2 are the application where a command has no other place for it.

use super::{Call, list};
use crate::simulator::device::{File, NAME_MAX, SPACE};
use crate::simulator::frame::Id;
use crate::simulator::octets::Octets;
use crate::simulator::status::{Done, Sw};

impl Call<'_> {
    fn parameters(&self) -> Done<Id> {
        let id = [self.frame.p1, self.frame.p2];
        self.open(id)?;
        Ok(id)
    }

    fn file(&self, id: Id, name: &str) -> Done<&File> {
        self.open(id)?.files.iter().find(|file| file.name == name).ok_or(Sw::FILE_MISSING)
    }

    /// A new one, all zeros.
    pub(super) fn create_file(&mut self) -> Done<()> {
        let id = self.parameters()?;
        let width = self.dialect().name_width;
        let mut fields = self.fields();
        let name = fields.wide_name(width)?.to_owned();
        let (size, read, write) = (fields.u32()?, fields.u32()?, fields.u32()?);
        fields.end()?;
        let application = self.open(id)?;
        self.right(id, application.rights)?;
        if name.len() > NAME_MAX || size == 0 {
            return Err(Sw::DATA_FIELD);
        }
        if application.files.iter().any(|file| file.name == name) {
            return Err(Sw::FILE_EXISTS);
        }
        let size = usize::try_from(size).ok().filter(|size| *size <= self.card.device().free().min(SPACE));
        let (Some(size), true) = (size, application.files.len() < usize::from(application.files_max)) else {
            return Err(Sw::NO_SPACE);
        };
        let file = File { name, read, write, content: Octets::new(&vec![0; size]) };
        self.card.change(|device| {
            device.application_mut(id)?.files.push(file);
            Ok(())
        })
    }

    pub(super) fn delete_file(&mut self) -> Done<()> {
        let id = self.parameters()?;
        let name = self.fields().name()?;
        let application = self.open(id)?;
        self.right(id, application.rights)?;
        self.file(id, name)?;
        self.card.change(|device| {
            device.application_mut(id)?.files.retain(|file| file.name != name);
            Ok(())
        })
    }

    pub(super) fn enum_files(&mut self) -> Done {
        let id = self.parameters()?;
        self.fields().end()?;
        Ok(list(self.open(id)?.files.iter().map(|file| file.name.as_str())))
    }

    pub(super) fn file_info(&mut self) -> Done {
        let id = self.parameters()?;
        let name = self.fields().name()?;
        let (file, dialect) = (self.file(id, name)?, self.dialect());
        let size = u32::try_from(file.content.len()).map_err(|_| Sw::FAILED)?;
        Ok([size, file.read, file.write].map(|number| dialect.u32(number)).concat())
    }

    /// From the offset on, as much as is expected or there.
    pub(super) fn read_file(&mut self) -> Done {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let (id, offset, length) = (fields.id()?, fields.u16()?, fields.u16()?);
        let name = fields.wide_name(length.into())?;
        fields.end()?;
        let file = self.file(id, name)?;
        self.right(id, file.read)?;
        let content = file.content.get().get(usize::from(offset)..).ok_or(Sw::OFFSET)?;
        let most = self.frame.expected.unwrap_or(usize::MAX).min(content.len());
        Ok(content.get(..most).unwrap_or_default().to_vec())
    }

    pub(super) fn write_file(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let (id, offset, length) = (fields.id()?, fields.u16()?, fields.u16()?);
        let name = fields.wide_name(length.into())?;
        let length = fields.u16()?;
        let data = fields.octets(length.into())?;
        fields.end()?;
        self.right(id, self.file(id, name)?.write)?;
        let (from, to) = (usize::from(offset), usize::from(offset).saturating_add(data.len()));
        self.card.change(|device| {
            let mut files = device.application_mut(id)?.files.iter_mut();
            let file = files.find(|file| file.name == name).ok_or(Sw::FILE_MISSING)?;
            file.content.get_mut().get_mut(from..to).ok_or(Sw::OFFSET)?.copy_from_slice(data);
            Ok(())
        })
    }
}
