internal import Glibc

/// Threads as the system has them; a worker needs nothing else of Foundation's.
public enum SystemThread {
  /// Starts a thread that nobody waits for (`pthread_create`, detached).
  ///
  /// - Parameters:
  ///   - name: what `top -H` and debuggers show; the system keeps 15 bytes.
  ///   - stackBytes: nil: the system's default.
  public static func start(
    name: String, stackBytes: Int? = nil, _ body: @escaping @Sendable () -> Void
  ) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    if let stackBytes { pthread_attr_setstacksize(&attributes, stackBytes) }
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        // What the thread was started with lives until its body begins.
        let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        SystemThread.nameThread(start.name)
        start.body()
        return nil
      }, start.toOpaque())
    guard code == 0 else { fatalError("no thread \(name): \(String(cString: strerror(code)))") }
  }

  /// proc(5); `pthread_setname_np` is a GNU function, which Swift does not see.
  private static func nameThread(_ name: String) {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    // Without /proc it has the program's name.
    guard file >= 0 else { return }
    _ = write(file, name, name.utf8.count)
    close(file)
  }

  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}
