// Swagger UI on this API, with a search over operations instead of its filter by tag.

function Search(system) {
  const { React } = system;

  const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

  const textOf = (entry) => {
    const operation = entry.get("operation");
    const parts = [entry.get("method"), entry.get("path")];
    for (const name of ["summary", "description", "operationId"]) {
      parts.push(operation.get(name, ""));
    }
    return parts.join(" ").toLowerCase();
  };

  const SearchField = ({ layoutSelectors, layoutActions, specSelectors }) => {
    if (specSelectors.loadingStatus() !== "success") return null;
    const filter = layoutSelectors.currentFilter();
    return React.createElement(
      "div",
      { className: "filter wrapper" },
      React.createElement("input", {
        type: "search",
        className: "operation-filter-input",
        placeholder: "Search operations",
        "aria-label": "Search operations",
        value: typeof filter === "string" ? filter : "",
        onChange: (event) => layoutActions.updateFilter(event.target.value),
      }),
    );
  };

  return {
    components: { FilterContainer: SearchField },
    fn: {
      opsFilter: (tags, phrase) => {
        const words = wordsOf(phrase);
        const fits = (entry) => words.every((word) => textOf(entry).includes(word));
        return tags
          .map((tag) => tag.update("operations", (operations) => operations.filter(fits)))
          .filter((tag) => tag.get("operations").size > 0);
      },
    },
  };
}

// Swagger UI puts a link into the button that opens an operation. Assistive technology sees only
// one of them, and the button is enough: opening an operation writes its link into the address bar.
const PlainText = ({ React: { createElement } }) => ({
  components: {
    DeepLink: ({ text }) =>
      createElement("span", { className: "nostyle" }, createElement("span", null, text)),
  },
});

// The document's description fills two screens of a phone: show its first paragraph.
const ShortDescription = () => ({
  wrapComponents: {
    Markdown: (Original, system) => (props) => {
      const { createElement } = system.React;
      const description = system.specSelectors.info().get("description");
      if (!description || props.source !== description) return createElement(Original, props);
      const [first, ...others] = description.split("\n\n");
      return createElement(
        "div",
        null,
        createElement(Original, { source: first }),
        createElement(
          "details",
          null,
          createElement("summary", null, "Authentication, times, errors, lists, sending twice"),
          createElement(Original, { source: others.join("\n\n") }),
        ),
      );
    },
  },
});

// Attributes that Swagger UI's own markup lacks, by selector.
const ATTRIBUTES = {
  ".dialog-ux .modal-ux": { role: "dialog", "aria-modal": "true", "aria-label": "Authorize" },
  ".close-modal": { "aria-label": "Close" },
  ".modal-btn[aria-label='Apply credentials']": { "aria-label": "Authorize: apply credentials" },
  ".modal-btn[aria-label='Remove authorization']": { "aria-label": "Logout: remove authorization" },
  ".body-param__text": { "aria-label": "Request body" },
  ".copy-to-clipboard button": { "aria-label": "Copy to clipboard" },
  ".responses-table, .microlight": { tabindex: "0" },
};

function addAttributes() {
  for (const [selector, attributes] of Object.entries(ATTRIBUTES)) {
    for (const element of document.querySelectorAll(selector)) {
      setAttributes(element, attributes);
    }
  }
  // The fields of a list or of a choice have no label.
  for (const field of document.querySelectorAll("[data-param-name] :is(input, select)")) {
    const { paramName } = field.closest("[data-param-name]").dataset;
    setAttributes(field, { "aria-label": paramName });
  }
}

function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  }
}

new MutationObserver(addAttributes).observe(document.getElementById("docs"), {
  childList: true,
  subtree: true,
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.querySelector(".dialog-ux")) {
    ui.getSystem().authActions.showDefinitions(false);
    document.querySelector(".btn.authorize")?.focus();
  }
});

const ui = SwaggerUIBundle({
  dom_id: "#docs",
  url: "/api/openapi.json",
  plugins: [Search, PlainText, ShortDescription],
  filter: true,
  deepLinking: true,
  // A reload keeps the token, until Logout.
  persistAuthorization: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
});
