//! Lists a node's methods, calls two of them and watches a job across an interrupted stream.
//!
//! cargo run --example example [URL [NODE]]

use std::error::Error;
use std::time::Duration;

use passthru_client::error_detail;
use passthru_client::v1::call_node_method_response::Outcome;
use passthru_client::v1::node_service_client::NodeServiceClient;
use passthru_client::v1::passthru_service_client::PassthruServiceClient;
use passthru_client::v1::{
    CallNodeMethodRequest, ListNodeMethodsRequest, LockNodeRequest, UnlockNodeRequest,
    WatchJobRequest,
};
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use tonic::transport::Channel;
use tonic::{Code, Status};

/// The maximum number of streams opened for one job, and the delay before each retry.
const MAX_STREAMS: u32 = 30;
const RETRY_DELAY: Duration = Duration::from_millis(500);

type Client = PassthruServiceClient<Channel>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or("http://127.0.0.1:6385".into());
    let node = arguments.next().unwrap_or("fake-1".into());
    let channel = Channel::from_shared(url)?.connect().await?;
    let mut client = Client::new(channel.clone());
    let mut nodes = NodeServiceClient::new(channel);

    println!("methods:");
    let listed = client
        .list_node_methods(ListNodeMethodsRequest { node: node.clone() })
        .await?;
    for method in listed.into_inner().methods {
        println!(
            "  {}, {}, role {}",
            method.name,
            if method.r#async {
                "asynchronous"
            } else {
                "synchronous"
            },
            method.role
        );
    }

    let response = client
        .call_node_method(call(&node, "third_method_sync", "meow"))
        .await?;
    let Some(Outcome::Result(result)) = response.into_inner().outcome else {
        return Err("third_method_sync is synchronous".into());
    };
    println!("third_method_sync returned {}", boolean(&result)?);

    call_locked(&mut client, &mut nodes, &node).await?;

    let started = client
        .call_node_method(call(&node, "second_method", "kazoo"))
        .await?;
    let Some(Outcome::Job(job)) = started.into_inner().outcome else {
        return Err("second_method is asynchronous".into());
    };
    println!("{} started a job", job.method);

    // The job holds the node, so a second call that does not wait for the lock is refused immediately.
    let mut refused = call(&node, "third_method_sync", "meow");
    refused.lock_wait = Some(prost_types::Duration::default());
    let Err(status) = client.call_node_method(refused).await else {
        return Err("the node should be locked".into());
    };
    let Some(detail) = error_detail(&status) else {
        return Err(status.into());
    };
    let reason = detail.reason().as_str_name();
    let lock = detail.lock.ok_or("no lock in the detail")?;
    println!(
        "third_method_sync was refused: {reason}, {} holds the node for {}",
        lock.holder, lock.method
    );

    watch(&mut client, job.id).await
}

/// Locks the node, calls a method with the key of the lock, and unlocks the node. Calls without the key are refused
/// meanwhile.
async fn call_locked(
    client: &mut Client,
    nodes: &mut NodeServiceClient<Channel>,
    node: &str,
) -> Result<(), Box<dyn Error>> {
    let lock = LockNodeRequest {
        node: node.into(),
        reason: "firmware check".into(),
        // Ends the lock if this program does not.
        duration: Some(prost_types::Duration {
            seconds: 60,
            nanos: 0,
        }),
        ..Default::default()
    };
    let locked = nodes.lock_node(lock).await?.into_inner();
    let reservation = locked.node.and_then(|node| node.reservation);
    println!(
        "locked the node: {}",
        reservation.ok_or("no reservation")?.reason
    );

    let mut within = call(node, "third_method_sync", "meow");
    within.reservation_key = locked.reservation_key.clone();
    let response = client.call_node_method(within).await?;
    let Some(Outcome::Result(result)) = response.into_inner().outcome else {
        return Err("third_method_sync is synchronous".into());
    };
    println!(
        "third_method_sync with the key returned {}",
        boolean(&result)?
    );

    let unlock = UnlockNodeRequest {
        node: node.into(),
        reservation_key: locked.reservation_key,
    };
    nodes.unlock_node(unlock).await?;
    println!("unlocked the node");
    Ok(())
}

/// Follows a job to its end. An interrupted stream is resumed after the last received revision. To demonstrate that,
/// the first stream is dropped after its first message.
async fn watch(client: &mut Client, job_id: String) -> Result<(), Box<dyn Error>> {
    let mut request = WatchJobRequest {
        job_id,
        after_revision: None,
    };
    for _ in 0..MAX_STREAMS {
        match follow(client, &mut request).await {
            Ok(Watched::ToEnd) => return Ok(()),
            Ok(Watched::Dropped) => {}
            Err(error) => match error.downcast_ref::<Status>() {
                Some(status) if is_interrupted(status) => {}
                _ => return Err(error),
            },
        }
        println!("stream interrupted");
        tokio::time::sleep(RETRY_DELAY).await;
    }
    Err("the service is unreachable".into())
}

/// Returns whether the job can be resumed on a new stream: the connection broke or could not be established (the error
/// has no `ErrorDetail`), or the service is shutting down (`Unavailable`).
fn is_interrupted(status: &Status) -> bool {
    status.code() == Code::Unavailable || error_detail(status).is_none()
}

/// How a stream ended: with the job, or dropped by this program.
enum Watched {
    ToEnd,
    Dropped,
}

/// Watches a job on one stream, and keeps the last received revision in `request`. Dropping a stream cancels it.
async fn follow(
    client: &mut Client,
    request: &mut WatchJobRequest,
) -> Result<Watched, Box<dyn Error>> {
    let mut stream = client.watch_job(request.clone()).await?.into_inner();
    while let Some(response) = stream.message().await? {
        let job = response.job.ok_or("no job in the message")?;
        let last = request.after_revision.replace(job.revision);
        let Some(last) = last else {
            println!("job state: {}", job.state().as_str_name());
            return Ok(Watched::Dropped);
        };
        if job.revision != last + 1 {
            return Err(format!("revision {} came after {last}", job.revision).into());
        }
        if job.end_time.is_some() {
            let result = boolean(job.result.as_ref().ok_or("no result")?)?;
            println!(
                "job resumed, each revision received once: {}, {result}",
                job.state().as_str_name()
            );
        }
    }
    Ok(Watched::ToEnd)
}

fn call(node: &str, method: &str, bar: &str) -> CallNodeMethodRequest {
    let bar = Value {
        kind: Some(Kind::StringValue(bar.into())),
    };
    CallNodeMethodRequest {
        node: node.into(),
        method: method.into(),
        arguments: Some(Struct {
            fields: [("bar".into(), bar)].into(),
        }),
        ..Default::default()
    }
}

fn boolean(value: &Value) -> Result<bool, Box<dyn Error>> {
    match value.kind {
        Some(Kind::BoolValue(boolean)) => Ok(boolean),
        _ => Err("not a boolean".into()),
    }
}
