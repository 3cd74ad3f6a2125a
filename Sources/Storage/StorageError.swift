public import SystemPackage

/// A failure of the file system: what, where, and what to do.
public struct StorageError: Error, Hashable, Sendable {
  public enum Code: Hashable, Sendable {
    case openFailed
    /// A folder, a pipe or a device.
    case notAFile
    /// What Git LFS has put in the place of a file.
    case largeFilePointer
    /// A file with a secret, and its permissions.
    case readableByOthers(mode: UInt32)
    case readFailed
    case writeFailed
    /// ENOSPC or EDQUOT.
    case noSpace
    /// A folder for temporary files is full, or takes none.
    case temporaryFolder
    case notWritable
    case notEmpty
    case notADirectory
    /// The folder holds what an unfinished run has left.
    case unfinished
    /// Another run holds the folder.
    case inUse
    case tooLarge
    case mapFailed
  }

  public let code: Code
  public let path: String
  /// `errno` of the failed call, 0 where there was none.
  public let errorNumber: Int32

  public init(_ code: Code, _ path: FilePath, _ errno: Errno? = nil) {
    self.code = code
    self.path = path.string
    errorNumber = errno?.rawValue ?? 0
  }

  /// A failed write: full disks have a code of their own.
  static func write(_ path: FilePath, _ errno: Errno) -> StorageError {
    StorageError(
      errno == .noSpace || errno == .diskQuotaExceeded ? .noSpace : .writeFailed, path, errno)
  }
}

extension StorageError: CustomStringConvertible {
  private var folder: String {
    let folder = FilePath(path).removingLastComponent().string
    return folder.isEmpty ? "." : folder
  }

  public var description: String {
    let reason = errorNumber == 0 ? "" : ": \(Errno(rawValue: errorNumber))"
    return switch code {
    case .openFailed: "cannot open \(path)\(reason)"
    case .notAFile: "\(path) is no regular file: name one (no folder, pipe or device)"
    case .largeFilePointer:
      "\(path) is a pointer of Git LFS, not the file that it stands for: fetch that with "
        + "git -C \(folder) lfs pull (git lfs comes with the package git-lfs)"
    case .readableByOthers(let mode):
      "\(path) holds a secret key that others may read (mode \(String(mode, radix: 8))): "
        + "chmod 600 \(path)"
    case .readFailed: "cannot read \(path)\(reason)"
    case .writeFailed: "cannot write \(path)\(reason)"
    case .noSpace: "the disk is full while writing \(path): free space or choose another --output"
    case .temporaryFolder:
      "cannot keep a temporary file in \(path)\(reason): free space there, or set TMPDIR to "
        + "another folder"
    case .notWritable: "cannot write into \(path)\(reason): choose another --output"
    case .notEmpty: "\(path) is not empty: choose a new or empty folder"
    case .unfinished:
      "\(path) holds an unfinished run: continue with --resume, or remove the folder to start over"
    case .notADirectory: "\(path) is a file where a folder belongs: choose another --output"
    case .inUse: "another run is writing into \(path): wait for it or choose another --output"
    case .tooLarge: "\(path) is larger than such a file can be"
    case .mapFailed: "cannot map \(path) into memory\(reason)"
    }
  }
}
