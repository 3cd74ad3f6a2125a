/// Messages to frames and back.
///
/// Frame 0 is a protobuf header (`proto/flap.proto`) of at most `Limits.headerFrameBytes`; raw
/// little-endian frames of at most `Limits.chunkBytes` follow where a message carries much.
/// Whatever the frames hold, decoding gives a message whose values are possible, or throws.
public enum WireCodec {}
