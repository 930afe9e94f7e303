// The page /docs: shows openapi.json with Swagger UI, or the reason why it cannot.

/** Shows the document, whose address is relative to that of the page. */
function show(SwaggerUIBundle) {
  SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#docs",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    tryItOutEnabled: false,
    validatorUrl: null, // otherwise the document would be sent to a server of the viewer's authors
  });
}

if (window.SwaggerUIBundle) {
  show(window.SwaggerUIBundle);
} else {
  const missing = document.getElementById("missing").content;
  document.getElementById("docs").replaceChildren(missing.cloneNode(true));
}
