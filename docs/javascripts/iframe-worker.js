// Search in pages that are opened from disk. Browsers start no workers there, so the worker's script runs in a hidden
// frame instead. Material's plugin `offline` would load such a script from another machine.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.inside = frame.contentWindow
      this.inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }))
      const script = frame.contentDocument.createElement("script")
      this.ready = new Promise((loaded) => script.addEventListener("load", loaded))
      script.src = url
      frame.contentDocument.head.append(script)
    }
    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })))
    }
  }
}
