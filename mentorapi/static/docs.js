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

SwaggerUIBundle({
  dom_id: "#docs",
  url: "/api/openapi.json",
  plugins: [Search],
  filter: true,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null,
});
