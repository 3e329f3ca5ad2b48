// What a jam begins from, and with whom.
(() => {
  const { el, hue } = globalThis.stemDom;
  const KINDS = [
    { kind: "groove", label: "A groove", words: "The machine plays drums in the tempo and genre you choose." },
    { kind: "silence", label: "Silence", words: "Only a click counts, until the first player comes in." },
    { kind: "loop", label: "My loop", words: "A file of 2 to 32 s that goes round as it is." },
    { kind: "node", label: "This session", words: "The mix that is open in the studio, its stems as parts." },
  ];
  const BARS = [1, 2, 4, 8];
  const FIRST_PLAYERS = ["bass", "piano", "synth_pad", "guitar"];
  const MAX_PLAYERS = 4;

  function loopSeconds(tempoBpm, numBars) {
    return (60 / tempoBpm) * 4 * numBars;
  }

  // The fewest bars that last 7 s or more: what a machine of two cores keeps up with.
  function easyBars(tempoBpm) {
    return BARS.find((bars) => loopSeconds(tempoBpm, bars) >= 6.8) || 8;
  }

  function pills(label, choices, isChosen, choose) {
    return el(
      "div",
      { class: "pills-row", role: "group", "aria-label": label },
      ...choices.map(({ key, words, style }) =>
        el(
          "button",
          { type: "button", "data-key": key, style, "aria-pressed": String(isChosen(key)), onclick: () => choose(key) },
          words,
        ),
      ),
    );
  }

  class StartForm {
    // offers: of the server; upload(file): resolves to {path}; openNode(): {node_id, label} or null.
    constructor(box, offers, { upload, openNode, start }) {
      Object.assign(this, { box, offers, upload, openNode, start });
      const names = offers.instruments.map((one) => one.name);
      this.kind = "groove";
      this.genre = offers.genres.some((genre) => genre.name === "lofi") ? "lofi" : "";
      this.tempo = offers.genres.find((genre) => genre.name === this.genre)?.tempo_bpm || 90;
      this.bars = easyBars(this.tempo);
      this.players = FIRST_PLAYERS.filter((name) => names.includes(name)).slice(0, 2);
      if (!this.players.length) this.players = names.slice(0, 1);
      this.file = null;
      this.message = "";
      this.isBusy = false;
      this.render();
    }

    set(changes) {
      const focused = document.activeElement?.dataset?.key;
      Object.assign(this, changes);
      this.render();
      if (focused) this.box.querySelector(`[data-key="${focused}"]`)?.focus();
    }

    setGenre(name) {
      const tempo = this.offers.genres.find((genre) => genre.name === name)?.tempo_bpm || this.tempo;
      this.set({ genre: name, tempo, bars: easyBars(tempo) });
    }

    togglePlayer(name) {
      const without = this.players.filter((each) => each !== name);
      const isNew = without.length === this.players.length;
      if (isNew && without.length >= MAX_PLAYERS) return;
      this.set({ players: isNew ? [...without, name] : without });
    }

    render() {
      const { kind, offers } = this;
      const node = this.openNode();
      const kinds = KINDS.filter((each) => each.kind !== "node" || node);
      const hasTempo = kind === "groove" || kind === "silence";
      this.box.replaceChildren(
        ...[
          el("h3", {}, "Begin from"),
          pills(
            "Begin from",
            kinds.map((each) => ({ key: each.kind, words: each.label })),
            (key) => key === kind,
            (key) => this.set({ kind: key }),
          ),
          el("p", { class: "quiet" }, KINDS.find((each) => each.kind === kind).words),
          hasTempo ? this.tempoFields() : null,
          kind === "loop" ? this.fileField() : null,
          el("h3", {}, kind === "node" ? "Who joins" : "Who plays"),
          pills(
            "Who plays",
            offers.instruments.map((one) => ({ key: one.name, words: one.label, style: { "--stem": hue(one) } })),
            (key) => this.players.includes(key),
            (key) => this.togglePlayer(key),
          ),
          el(
            "button",
            {
              type: "button",
              class: "go",
              disabled: this.isBusy || (kind === "loop" && !this.file),
              onclick: () => this.go(),
            },
            this.isBusy ? "Starting …" : "Start the music",
          ),
          el("p", { class: "refusal", role: "alert" }, this.message),
        ].filter(Boolean),
      );
    }

    tempoFields() {
      const { offers } = this;
      const tempo = el("input", { type: "number", min: 50, max: 200, value: this.tempo, "aria-label": "Tempo" });
      tempo.addEventListener("change", () => {
        const value = Math.round(Math.min(200, Math.max(50, Number(tempo.value) || 90)));
        this.set({ tempo: value, bars: easyBars(value) });
      });
      const genre = el(
        "select",
        { "aria-label": "Genre", "data-key": "genre" },
        el("option", { value: "", selected: !this.genre }, "Any genre"),
        ...offers.genres.map((each) =>
          el("option", { value: each.name, selected: each.name === this.genre }, each.label),
        ),
      );
      genre.addEventListener("change", () => this.setGenre(genre.value));
      const length = loopSeconds(this.tempo, this.bars);
      const lengths = [...new Set([...BARS, this.bars])]; // a slow machine may have asked for more
      return el(
        "div",
        { class: "fields" },
        offers.genres.length ? el("label", {}, "Genre", genre) : null,
        el("label", {}, "Beats a minute", tempo),
        el(
          "div",
          { class: "bars" },
          el("span", {}, `Bars (${length.toFixed(1)} s)`),
          pills(
            "Bars of the loop",
            lengths.map((bars) => ({ key: String(bars), words: String(bars) })),
            (key) => Number(key) === this.bars,
            (key) => this.set({ bars: Number(key) }),
          ),
        ),
      );
    }

    fileField() {
      const input = el("input", { type: "file", accept: "audio/*", "aria-label": "File of the loop" });
      input.addEventListener("change", () => this.set({ file: input.files[0] || null }));
      return el("div", { class: "fields" }, this.file ? el("span", { class: "file" }, this.file.name) : null, input);
    }

    request(repeats = 1) {
      return {
        kind: this.kind,
        tempo_bpm: this.tempo,
        num_bars: this.bars,
        genre: this.genre || null,
        instruments: this.players,
        node_id: this.kind === "node" ? this.openNode()?.node_id : null,
        repeats,
      };
    }

    async go(repeats = 1) {
      this.set({ isBusy: true, message: "" });
      try {
        const request = this.request(repeats);
        if (this.kind === "loop") {
          const { path } = await this.upload(this.file);
          Object.assign(request, { path, name: this.file.name.replace(/\.[^.]*$/, "") });
        }
        await this.start(request);
      } catch (error) {
        this.set({ isBusy: false, message: error.message });
        return;
      }
      this.set({ isBusy: false });
    }
  }

  globalThis.stemLiveStart = { StartForm, loopSeconds, easyBars };
})();
