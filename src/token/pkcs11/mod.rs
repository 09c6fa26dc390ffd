//! PKCS#11 modules as doors (OASIS PKCS#11 2.40).
