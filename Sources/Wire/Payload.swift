/// Results and plans to bytes and back, for the chunks of a report or the frames of a plan.
///
/// Numbers are little-endian: counts u64, values f64. Sizes follow from the model's shape, which
/// both sides read from the same checkpoint, so none are stored. Decoding checks the length
/// before it takes memory, and every value.
public enum Payload {}
