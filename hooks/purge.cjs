// Keeps of Material's style sheets only the rules that a page, or a script that makes parts of pages, can use.
// Called with the site's folder; writes the style sheets in place.
const { writeFileSync } = require("node:fs")
const { PurgeCSS } = require("purgecss")

const site = process.argv[2].replaceAll("\\", "/") // globs take forward slashes
new PurgeCSS()
  .purge({
    content: [`${site}/**/*.html`, `${site}/**/*.js`],
    css: [`${site}/assets/stylesheets/main.*.css`, `${site}/assets/stylesheets/palette.*.css`],
  })
  .then(results => {
    for (const { file, css } of results) writeFileSync(file, css)
  })
