// Addresses are relative to the page, so that it also works behind a proxy's prefix.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  // Unless told so, it would ask a host of somebody else's whether the document is valid.
  validatorUrl: null,
});
