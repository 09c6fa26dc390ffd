//! XML signatures (W3C XMLDSig) and canonical XML.
