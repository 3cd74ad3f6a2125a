internal import Glibc

/// A thread of its own for what must answer at once, whatever the program's other threads do
/// (pthread_create(3)).
package struct ServiceThread: Sendable {
  private let handle: pthread_t
  private let wakeUp: WakeUp

  private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  /// - Parameters:
  ///   - purpose: for the error: "start the thread that …".
  ///   - wakeUp: its signal ends `body`.
  package init(
    purpose: String, wakeUp: WakeUp, body: sending @escaping () -> Void
  ) throws(TransportError) {
    self.wakeUp = wakeUp
    let argument = Unmanaged.passRetained(Body(body))
    var handle = pthread_t()
    let code = pthread_create(
      &handle, nil,
      { argument in
        guard let argument else { return nil }
        let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
        // Signals are for the threads that the program made.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        body.run()
        return nil
      }, argument.toOpaque())
    guard code == 0 else {
      argument.release()
      throw TransportError(
        operation: "start the thread that \(purpose)", code: code,
        text: String(cString: strerror(code)))
    }
    self.handle = handle
  }

  /// Ends the thread and waits for it: pthread_join(3), hence once only.
  package func end() {
    wakeUp.signal()
    pthread_join(handle, nil)
  }
}
