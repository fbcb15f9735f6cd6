// Passkeys: the browser's ceremony between a form and its options (a script of JSON, or the form's address).
(() => {
  const bytes = (text) => {
    const base64 = text.replace(/-/g, "+").replace(/_/g, "/");
    return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
  };
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const words = {
    NotAllowedError: "Nothing was confirmed. Try again, and follow what your device asks.",
    InvalidStateError: "This device holds a passkey of your account already.",
    SecurityError: "Passkeys work only at a named, secure address: https://…, or http://localhost on your own machine.",
    NotSupportedError: "This device cannot check who holds it. Use another device, or a security key with a PIN.",
  };

  const known = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));

  async function optionsOf(form) {
    const script = document.getElementById(form.dataset.options);
    if (script) return JSON.parse(script.textContent).publicKey;
    const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error("The server did not answer as expected. Reload the page and try again.");
    return (await answer.json()).request_options.publicKey;
  }

  async function created(options) {
    const publicKey = {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: known(options.excludeCredentials),
      authenticatorSelection: {
        ...options.authenticatorSelection, residentKey: "required", requireResidentKey: true, userVerification: "required",
      },
    };
    const made = await navigator.credentials.create({ publicKey });
    return {
      id: made.id,
      rawId: text(made.rawId),
      type: made.type,
      clientExtensionResults: made.getClientExtensionResults(),
      response: {
        clientDataJSON: text(made.response.clientDataJSON),
        attestationObject: text(made.response.attestationObject),
        transports: made.response.getTransports?.() || [],
      },
    };
  }

  async function got(options) {
    const publicKey = {
      ...options,
      challenge: bytes(options.challenge),
      allowCredentials: known(options.allowCredentials),
    };
    const used = await navigator.credentials.get({ publicKey });
    const handle = used.response.userHandle;
    return {
      id: used.id,
      rawId: text(used.rawId),
      type: used.type,
      clientExtensionResults: used.getClientExtensionResults(),
      response: {
        clientDataJSON: text(used.response.clientDataJSON),
        authenticatorData: text(used.response.authenticatorData),
        signature: text(used.response.signature),
        userHandle: handle ? text(handle) : null,
      },
    };
  }

  document.querySelectorAll("form[data-passkey]").forEach((form) => {
    if (!window.PublicKeyCredential) return;
    const fault = form.querySelector(".passkey-fault");
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = form.querySelector("[type=submit]");
      fault.textContent = "";
      button.disabled = true;
      try {
        const options = await optionsOf(form);
        const credential = form.dataset.passkey === "create" ? await created(options) : await got(options);
        form.elements.credential.value = JSON.stringify(credential);
        form.submit();
      } catch (error) {
        fault.textContent = words[error.name] || error.message;
        button.disabled = false;
        button.focus();
      }
    });
  });
})();
