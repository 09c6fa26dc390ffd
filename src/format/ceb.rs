//! Customs messages (CEBxxxMessage): enveloped XML signatures.
