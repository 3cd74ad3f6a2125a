internal import SystemPackage

/// What stands in the place of a file that Git LFS keeps elsewhere, in a clone that was made without
/// it: a few lines of text, the first of which names their version (git-lfs/docs/spec.md).
enum LargeFilePointer {
  private static let beginning = "version https://git-lfs.github.com/spec/v1\n"
  /// No pointer is longer.
  private static let longest = 1023

  static func stands(in file: FileDescriptor, byteCount: Int) -> Bool {
    let length = beginning.utf8.count
    guard (length...longest).contains(byteCount) else { return false }
    let bytes = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
      count =
        (try? file.read(fromAbsoluteOffset: 0, into: UnsafeMutableRawBufferPointer(buffer))) ?? 0
    }
    return bytes.elementsEqual(beginning.utf8)
  }
}
