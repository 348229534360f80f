// A user with a browser, and the page of the application to which the user comes back.
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'
import { hear, say } from './conversation.mjs'

const quiet = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid() === 0 ? ['--no-sandbox', ...quiet] : quiet,
})
const application = createServer((_, response) => response.end('signed in'))
await new Promise((ready) => application.listen(0, '127.0.0.1', ready))
const redirect = `http://127.0.0.1:${application.address().port}/signed-in`
say({ redirect })

for (let next = await hear(); next; next = await hear()) {
  say(await signIn(next.visit, next.user))
}
await browser.close()
process.exit(0)

async function signIn(url, user) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  try {
    const page = await context.newPage()
    page.setDefaultTimeout(60_000)
    await page.goto(url)
    const seen = []
    while (!page.url().startsWith(redirect)) {
      seen.push(new URL(page.url()).host + new URL(page.url()).pathname)
      if (await page.locator('input[name=login]').count()) {
        await page.fill('input[name=login]', user)
        await page.fill('input[name=password]', 'any')
      } else if (!(await page.locator('button[type=submit]').count())) {
        throw new Error(`this page is not expected: ${page.url()}\n${await page.locator('body').innerText()}`)
      }
      await Promise.all([page.waitForNavigation(), page.click('button[type=submit]')])
    }
    return { landed: page.url(), seen }
  } finally {
    await context.close()
  }
}
