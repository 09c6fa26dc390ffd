//! Cards of GM/T 0017-2012 over PC/SC: applications with PINs of their own, containers, SM2 keys.
