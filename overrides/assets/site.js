// What the pages do by themselves. `document$` is Material's: it gives every page, also those that
// instant navigation puts in place of the last one.

// The language switch leads to the same page and the same heading. The header stays when instant
// navigation changes the page, so that its link has to follow.
function place() {
  const target = document.querySelector('meta[name="switch"]')?.content
  if (target) for (const link of document.querySelectorAll("[data-switch]")) link.href = new URL(target, location).href + location.hash
}
addEventListener("hashchange", place)
document.addEventListener("click", place, { capture: true })
document$.subscribe(place)

// The errata by verdict; the choice stands in the address (?verdict=wrong).
function filter(verdict) {
  const claims = [...document.querySelectorAll(".claim")]
  for (const button of document.querySelectorAll("[data-verdicts] button")) {
    button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict))
  }
  for (const claim of claims) claim.hidden = verdict !== "" && claim.dataset.verdict !== verdict
}
document$.subscribe(() => {
  const group = document.querySelector("[data-verdicts]")
  if (!group) return
  group.addEventListener("click", event => {
    const button = event.target.closest("button")
    if (!button) return
    const address = new URL(location)
    address.hash = ""
    if (button.dataset.verdict) address.searchParams.set("verdict", button.dataset.verdict)
    else address.searchParams.delete("verdict")
    history.replaceState(history.state, "", address)
    filter(button.dataset.verdict)
  })
  const wanted = new URL(location).searchParams.get("verdict") ?? ""
  const known = [...group.querySelectorAll("button")].some(button => button.dataset.verdict === wanted)
  filter(known && !location.hash ? wanted : "")
})
addEventListener("hashchange", () => {
  if (document.querySelector(".claim:target")?.hidden) filter("")
})

// Figures that readers can move: assets/try/<id>.js is fetched when the figure comes near the screen.
const assets = new URL(".", document.currentScript.src)
const near = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue
    near.unobserve(target)
    import(new URL(`try/${target.dataset.try}.js`, assets)).then(module => module.default(target))
  }
}, { rootMargin: "100%" })
document$.subscribe(() => {
  near.disconnect()
  for (const figure of document.querySelectorAll("figure[data-try]:not(:has(.try))")) near.observe(figure)
})

// What scrolls sideways can be reached with the keyboard; what fits is no stop on the way.
function stops() {
  for (const box of document.querySelectorAll(".formula, .table, .nb-output pre")) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0
    else box.removeAttribute("tabindex")
  }
}
addEventListener("resize", stops)

// Material sets a nameless navigation landmark around each copy button, whose own name goes into its tooltip.
const { translations } = JSON.parse(document.getElementById("__config").textContent)
function quiet() {
  for (const nav of document.querySelectorAll(".md-code__nav")) {
    nav.setAttribute("role", "none")
    nav.querySelector("button")?.setAttribute("aria-label", translations["clipboard.copy"])
  }
}
document$.subscribe(() => {
  stops()
  quiet()
  setTimeout(quiet)
})

// The navigation of small screens: a button opens it, Escape closes it.
{
  const button = document.querySelector("[data-drawer]")
  const drawer = document.getElementById("__drawer")
  const enter = () => {
    const links = [...document.querySelectorAll(".md-sidebar--primary a")]
    links.find(link => link.getBoundingClientRect().width && link.getBoundingClientRect().left >= 0)?.focus({ preventScroll: true })
  }
  button.addEventListener("click", () => drawer.click())
  drawer.addEventListener("change", () => {
    button.setAttribute("aria-expanded", String(drawer.checked))
    if (drawer.checked) setTimeout(enter, 300) // once it has slid in
  })
  addEventListener("keydown", event => {
    if (event.key === "Escape" && drawer.checked) {
      drawer.click()
      button.focus()
    }
  })
}

// Material remembers the scheme, but not which of the buttons stands for it.
const scheme = document.querySelectorAll("[name=__palette]")[__md_get("__palette")?.index ?? 0]
if (scheme) scheme.checked = true
