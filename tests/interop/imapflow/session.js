// One session with imapflow: prints as JSON what it found. Arguments: port, CA file; user and password in the environment.
const fs = require('fs');
const { ImapFlow } = require('imapflow');

async function main() {
    const client = new ImapFlow({
        host: 'localhost',
        port: Number(process.argv[2]),
        secure: true,
        tls: { ca: fs.readFileSync(process.argv[3]) },
        auth: { user: process.env.MAIL_USER, pass: process.env.MAIL_PASSWORD },
        logger: false
    });
    const found = { subjects: [], events: [] };
    client.on('exists', event => found.events.push(event.count));
    await client.connect();
    found.folders = (await client.list()).map(folder => folder.specialUse || folder.path).sort();
    found.quota = await client.getQuota('INBOX');
    const lock = await client.getMailboxLock('INBOX');
    try {
        for await (const message of client.fetch('1:*', { envelope: true, bodyStructure: true, flags: true, uid: true })) {
            found.subjects.push(message.envelope.subject);
        }
        found.source = (await client.fetchOne('1', { source: true })).source.toString('latin1');
        await client.messageFlagsAdd('1', ['\\Flagged', '$Label1']);
        found.flagged = await client.search({ flagged: true });
        found.bySubject = await client.search({ subject: 'm2' }, { uid: true });
        await client.mailboxCreate('From imapflow');
        found.moved = (await client.messageMove('2', 'From imapflow')).uidMap.size;
        await client.append('INBOX', 'Subject: appended\r\n\r\ntext\r\n', ['\\Seen']);
        await client.noop();
        await client.messageDelete('1');
        found.status = await client.status('INBOX', { messages: true, unseen: true });
    } finally {
        lock.release();
    }
    await client.logout();
    console.log(JSON.stringify(found));
}

main().catch(error => { console.error(error); process.exit(1); });
