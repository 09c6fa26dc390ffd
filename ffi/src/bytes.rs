//! Octets that the library owns until they are freed.

use crate::Bytes;
use crate::border::export;

export! {
    /// How many octets there are.
    fn shield_bytes_length(bytes: *const Bytes) -> (length: *mut usize) {
        Ok((bytes.len(),))
    }
}

export! {
    /// Copies the octets. There is no NUL at the end.
    fn shield_bytes_copy(bytes: *const Bytes) -> octets {
        Ok(bytes.to_vec())
    }
}

export! {
    /// Frees the octets.
    fn shield_bytes_free(bytes: *mut Bytes) -> () {
        drop(bytes);
        Ok(())
    }
}
