//! stub
pub(super) fn device_info() -> Vec<u8> {
    let mut block = vec![1, 0, 1, 0];
    let mut text = |value: &str, length: usize| {
        let mut octets = value.as_bytes().to_vec();
        octets.resize(length, 0);
        block.extend_from_slice(&octets);
    };
    text("Model maker", 64);
    text("Model issuer", 64);
    text("Model label", 32);
    text("GM00012345", 32);
    block.extend_from_slice(&[2, 1, 3, 4]);
    block.resize(228, 0);
    block.extend_from_slice(&[0, 7, 4, 8]);
    block.resize(288, 0);
    block
}
